import type { Socket } from 'node:net';
import type { Logger } from '../base/logger.ts';
import { whenEnded } from '../base/net/adopt-socket.ts';
import { addressOf } from '../base/net/remote-address.ts';
import { LogLimiter } from '../base/time/log-limiter.ts';
import type { ConnectionLimits, PeerKind, RefusalReason } from './connection-limits.ts';
import { type DescriptorGuard, moreDescriptors } from './descriptor-guard.ts';
import type { PeerTimeout } from './peer-timeout.ts';

/** Where the connections of one port come in: calls `serve` for those that are let in, now or later. */
export type Admit = (socket: Socket, serve: () => void) => void;

/** What is said of a limit that was reached, and which setting of [limits] it is. */
const refusalTexts: Readonly<
  Record<
    Exclude<RefusalReason, 'descriptors'>,
    { readonly phrase: string; readonly setting: string }
  >
> = {
  player: { phrase: 'too many players: refused one more', setting: 'max_players' },
  controller: { phrase: 'too many controllers: refused one more', setting: 'max_controllers' },
  http: {
    phrase: 'too many HTTP connections: refused one more',
    setting: 'max_http_connections',
  },
  address: {
    phrase: 'too many connections of one address: refused one more',
    setting: 'max_connections_per_address',
  },
  tap: { phrase: 'too many taps: refused one more', setting: 'max_taps' },
  'tap-address': {
    phrase: 'too many taps of one address: refused one more',
    setting: 'max_taps_per_address',
  },
};

interface AdmissionOptions {
  readonly limits: ConnectionLimits;
  readonly descriptors: DescriptorGuard;
  readonly peerTimeout: PeerTimeout;
  readonly logger: Logger;
  /** How many descriptors the audio of a player takes beside its connection. */
  readonly audioDescriptors: number;
}

/**
 * What every connection to every port passes. Before anything is kept for it, it is counted, and
 * refused beyond the limits; the kernel is told to watch its peer; until `release` it waits.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #waiting = new Map<Socket, () => void>();
  readonly #limiters = new Map<RefusalReason, LogLimiter>();
  readonly #refusals = new Map<RefusalReason, number>();
  #isReleased = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** How many connections were refused for each reason since the start. */
  get refusals(): ReadonlyMap<RefusalReason, number> {
    return this.#refusals;
  }

  admitFor(kind: PeerKind): Admit {
    return (socket, serve) => {
      if (!this.#isTakenIn(kind, socket)) socket.destroy();
      else if (this.#isReleased) serve();
      else this.#hold(socket, serve);
    };
  }

  /** Whether a connection of HTTP may become one of `kind` as well; its owner answers it if not. */
  mayBecome(kind: PeerKind, socket: Socket): boolean {
    const { limits, descriptors, audioDescriptors } = this.#options;
    const address = addressOf(socket);
    // Its address has been counted, but for what counts by itself.
    const counted = kind === 'tap' ? address : undefined;
    const refusal = limits.refusalOf(kind, counted);
    if (refusal) return this.#refuse(refusal, address);
    const more = kind === 'player' ? audioDescriptors : 0;
    if (!descriptors.take(0, more)) return this.#refuse('descriptors', address);
    const giveBack = limits.add(kind, counted);
    whenEnded(socket, () => {
      giveBack();
      descriptors.give(more);
    });
    return true;
  }

  /** Serves the peers that wait, and from now on every peer at once. */
  release(): void {
    this.#isReleased = true;
    for (const [socket, serve] of this.#waiting) if (!socket.destroyed) serve();
    this.#waiting.clear();
  }

  /** Ends the peers that wait. */
  close(): void {
    for (const socket of this.#waiting.keys()) socket.destroy();
    this.#waiting.clear();
  }

  #isTakenIn(kind: PeerKind, socket: Socket): boolean {
    const { limits, descriptors, peerTimeout, audioDescriptors } = this.#options;
    const address = addressOf(socket);
    const refusal = limits.refusalOf(kind, address);
    if (refusal) return this.#refuse(refusal, address);
    const more = kind === 'player' ? audioDescriptors : 0;
    if (!descriptors.take(1, more)) return this.#refuse('descriptors', address);
    const giveBack = limits.add(kind, address);
    whenEnded(socket, () => {
      giveBack();
      descriptors.give(1 + more);
    });
    peerTimeout.watch(socket);
    return true;
  }

  #hold(socket: Socket, serve: () => void): void {
    const isPaused = socket.isPaused();
    const onError = () => socket.destroy();
    if (!isPaused) socket.pause();
    socket.on('error', onError);
    socket.once('close', () => this.#waiting.delete(socket));
    this.#waiting.set(socket, () => {
      socket.off('error', onError);
      serve();
      if (!isPaused) socket.resume();
    });
  }

  /** Counts it, and says so now and then: a peer that floods us must not flood the log as well. */
  #refuse(refusal: RefusalReason, address: string): false {
    this.#refusals.set(refusal, (this.#refusals.get(refusal) ?? 0) + 1);
    // The guard of the descriptors speaks for itself.
    if (refusal === 'descriptors') return false;
    const limiter = this.#limiters.get(refusal) ?? new LogLimiter();
    this.#limiters.set(refusal, limiter);
    if (limiter.allows()) {
      const { phrase, setting } = refusalTexts[refusal];
      const limit = this.#options.limits.limitOf(refusal);
      const { unlogged } = limiter;
      this.#options.logger.warn(phrase, {
        address,
        limit,
        setting: `[limits] ${setting}`,
        ...(refusal === 'address' &&
          this.#options.limits.isAddressShort && { remedy: moreDescriptors }),
        ...(unlogged > 0 && { unlogged }),
      });
    }
    return false;
  }
}
