import type { Logger } from '../base/logger.ts';
import { networkOf } from '../base/net/remote-address.ts';

/** Lines of one kind about one address within one interval; a household stays far below. */
export const maxLinesPerInterval = 20;
export const lineIntervalMs = 5000;
/** Addresses that are counted singly; all others are counted together. */
export const maxCountedAddresses = 1000;

/** The lines that each session causes; those of one kind are counted together. */
type SessionEvent = 'created' | 'hello' | 'shared-id' | 'fallback' | 'closed';

interface SessionLine {
  readonly level: 'info' | 'warn';
  readonly phrase: string;
  readonly fields?: Readonly<Record<string, string>>;
}

interface Count {
  readonly lines: Map<SessionEvent, number>;
  readonly timer: NodeJS.Timeout;
}

/**
 * What is logged of sessions. A peer that connects again and again does not fill the log: beyond a
 * number of lines about one address, one at the end of the interval says how many were left out.
 * With the level `debug` all are there.
 */
export class SessionLog {
  readonly #logger: Logger;
  readonly #counts = new Map<string, Count>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(event: SessionEvent, address: string, { level, phrase, fields }: SessionLine): void {
    const count = this.#countOf(address);
    const lines = (count.lines.get(event) ?? 0) + 1;
    count.lines.set(event, lines);
    if (lines <= maxLinesPerInterval || this.#tellsAll) this.#logger[level](phrase, fields);
  }

  /** Says what was left out until now, and nothing later. */
  stop(): void {
    for (const [address, count] of this.#counts) {
      clearTimeout(count.timer);
      this.#sum(address, count);
    }
  }

  /** A user who looks for a fault wants every line. */
  get #tellsAll(): boolean {
    return this.#logger.isEnabled('debug');
  }

  #countOf(address: string): Count {
    const network = networkOf(address);
    const isCounted = this.#counts.has(network) || this.#counts.size < maxCountedAddresses;
    const key = isCounted ? network : 'others';
    let count = this.#counts.get(key);
    if (!count) {
      const fresh: Count = {
        lines: new Map(),
        timer: setTimeout(() => this.#sum(key, fresh), lineIntervalMs).unref(),
      };
      count = fresh;
      this.#counts.set(key, count);
    }
    return count;
  }

  #sum(address: string, { lines }: Count): void {
    this.#counts.delete(address);
    const leftOut: Partial<Record<SessionEvent, number>> = {};
    for (const [event, count] of lines) {
      if (count > maxLinesPerInterval) leftOut[event] = count - maxLinesPerInterval;
    }
    if (Object.keys(leftOut).length === 0 || this.#tellsAll) return;
    const phrase = 'too many sessions of one address: lines were left out';
    this.#logger.notice(phrase, { address, ...leftOut });
  }
}
