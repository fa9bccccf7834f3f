import { LoopShare } from '../base/time/loop-share.ts';

/** All encoders together keep the event loop for this long per turn. */
const sliceMs = 5;

/** The right of one stream to encode, as often as it asks and its turn comes. */
export interface EncodeTurn {
  /** There is something to encode: some of it at once when no other stream waits, else later. */
  request(): void;
  cancel(): void;
}

interface Waiter {
  readonly step: () => boolean;
  /** Time that it has had, or might have had: a stream that comes back has no claim on the past. */
  usedMs: number;
}

/**
 * Shares the event loop among the encoders of all streams: they get one slice of time per turn of
 * the loop together, and of those that wait the one goes next that has had the least. So a stream
 * that needs little never waits for one that needs more than there is.
 */
export class EncodeTurns {
  readonly #waiting = new Set<Waiter>();
  /** What the one that went last had had by then. */
  #reachedMs = 0;
  readonly #share = new LoopShare(sliceMs);
  readonly #goOn = () => this.#run();

  /** `step` encodes a little and says whether there is more; it must not throw. */
  join(step: () => boolean): EncodeTurn {
    const waiter = { step, usedMs: 0 };
    return {
      request: () => this.#request(waiter),
      cancel: () => this.#waiting.delete(waiter),
    };
  }

  #request(waiter: Waiter): void {
    if (this.#waiting.has(waiter)) return;
    waiter.usedMs = Math.max(waiter.usedMs, this.#reachedMs);
    this.#waiting.add(waiter);
    if (this.#waiting.size === 1) this.#run();
  }

  #run(): void {
    let leftMs = this.#share.leftMs;
    while (leftMs > 0) {
      const waiter = this.#next();
      if (!waiter) return;
      this.#reachedMs = waiter.usedMs;
      const hasMore = waiter.step();
      const startLeftMs = leftMs;
      leftMs = this.#share.leftMs;
      waiter.usedMs += startLeftMs - leftMs;
      if (!hasMore) this.#waiting.delete(waiter);
    }
    this.#share.later(this.#goOn);
  }

  #next(): Waiter | undefined {
    let next: Waiter | undefined;
    for (const waiter of this.#waiting) if (!next || waiter.usedMs < next.usedMs) next = waiter;
    return next;
  }
}
