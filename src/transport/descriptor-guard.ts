import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Logger } from '../base/logger.ts';

/** Left for files, children and the log: a share of what the process may open, within bounds. */
const reserveShare = 8;
const minReserve = 8;
const maxReserve = 64;
/** Who was refused comes back at once: there must be a little more room before it goes on. */
const resumeShare = 4;
/** One address gets at most the half of what there is, so that it does not lock out all others. */
const addressShare = 2;
/** Before Linux 6.2 counting takes a look at every descriptor. */
const countIntervalMs = 1000;

/** How to fix a want of descriptors. */
export const moreDescriptors = 'raise "ulimit -n", or LimitNOFILE of the service';

/** A server of one stream takes 33 until it listens; its first players shall find room, too. */
const leastFree = 100;

/** What the system says about this process. */
export interface DescriptorFacts {
  /** How many descriptors it may have; `undefined` where the system does not say. */
  limit(): number | undefined;
  /** How many it has; `undefined` when even that takes one more than there is. */
  open(): number | undefined;
}

/** Source: Linux, proc_pid_limits(5) and proc_pid_fd(5). */
export const procFacts: DescriptorFacts = {
  limit() {
    try {
      const [, soft] =
        /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
      return soft === undefined ? undefined : Number(soft);
    } catch {
      return undefined;
    }
  },
  open() {
    try {
      // Their number since Linux 6.2; to list thousands would hold the event loop.
      const { size } = statSync('/proc/self/fd');
      // One of those that are listed reads the folder.
      return size > 0 ? size : readdirSync('/proc/self/fd').length - 1;
    } catch {
      return undefined;
    }
  },
};

/** Why not even the start would come to its end; nothing where the system does not tell. */
export function descriptorShortage(facts: DescriptorFacts = procFacts): string | undefined {
  const limit = facts.limit();
  if (limit === undefined) return undefined;
  const needed = (facts.open() ?? limit) + leastFree;
  if (limit >= needed) return undefined;
  return `this process may have ${limit} open files, and ${needed} are needed: ${moreDescriptors}`;
}

/**
 * Keeps connections from using up the last descriptors: the system accepts and drops those for which
 * there is none, without a word, and files and children fail as well.
 *
 * The open ones are counted once per second at most, and only while connections come; in between
 * they are reckoned. Where the system does not tell the limit everything is let in.
 */
export class DescriptorGuard {
  readonly #facts: DescriptorFacts;
  readonly #logger: Logger;
  #limit: number | undefined;
  #open = 0;
  #countedMs = Number.NEGATIVE_INFINITY;
  #isRefusing = false;

  constructor(logger: Logger, facts: DescriptorFacts = procFacts) {
    this.#logger = logger;
    this.#facts = facts;
  }

  /**
   * Whether there is room for a connection that has `opened` descriptors already and is going to open
   * `more`; if so, they are taken until `give`.
   */
  take(opened: number, more: number): boolean {
    if (!this.#count()) this.#open += opened;
    const usable = this.#usable;
    if (usable === undefined) return true;
    const margin = this.#isRefusing ? Math.floor(this.#reserve / resumeShare) : 0;
    const hasRoom = this.#open + more <= usable - margin;
    if (hasRoom) this.#open += more;
    else this.#open -= opened;
    this.#tell(!hasRoom);
    return hasRoom;
  }

  give(count: number): void {
    this.#open -= count;
  }

  /** How many connections one address may have that take so many descriptors each. */
  connectionsPerAddress(descriptorsEach: number): number {
    const usable = this.#usable;
    if (usable === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(1, Math.floor(usable / addressShare / descriptorsEach));
  }

  /** Says at the start whether as many players fit as are allowed. */
  warnAbout(maxPlayers: number, descriptorsPerPlayer: number): void {
    this.#count();
    const usable = this.#usable;
    if (usable === undefined) return;
    const fits = Math.max(0, Math.floor((usable - this.#open) / descriptorsPerPlayer));
    if (fits >= maxPlayers) return;
    this.#logger.notice('fewer players fit than max_players allows', {
      fits,
      maxPlayers,
      descriptors: this.#limit,
      remedy: moreDescriptors,
    });
  }

  get #reserve(): number {
    const share = Math.ceil((this.#limit ?? 0) / reserveShare);
    return Math.min(maxReserve, Math.max(minReserve, share));
  }

  get #usable(): number | undefined {
    return this.#limit === undefined ? undefined : this.#limit - this.#reserve;
  }

  /** Returns whether it has counted just now. */
  #count(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#countedMs < countIntervalMs) return false;
    this.#countedMs = nowMs;
    // Both may change while we run.
    this.#limit = this.#facts.limit();
    this.#open = this.#facts.open() ?? this.#limit ?? 0;
    return true;
  }

  #tell(isRefusing: boolean): void {
    if (this.#isRefusing === isRefusing) return;
    this.#isRefusing = isRefusing;
    const facts = { open: this.#open, limit: this.#limit, reserve: this.#reserve };
    if (isRefusing) {
      this.#logger.warn('no descriptors to spare: new connections are refused', {
        ...facts,
        remedy: moreDescriptors,
      });
    } else {
      this.#logger.notice('descriptors are free again: new connections are accepted', facts);
    }
  }
}
