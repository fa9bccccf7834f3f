import { performance } from 'node:perf_hooks';

const { nodeTiming } = performance;

/** What must not delay Time replies keeps the event loop for no longer than this. */
export const maxSliceMs = 1.5;

/**
 * The part of the event loop that one kind of work may have: all that share it keep the loop for
 * one slice of time per turn together, and what comes too late waits in line for a later turn.
 */
export class LoopShare {
  readonly #sliceMs: number;
  readonly #waiting = new Set<() => void>();
  /** The slice of the turn in which it began. */
  #endMs = 0;
  #turn = -1;
  #isCalled = false;

  constructor(sliceMs = maxSliceMs) {
    this.#sliceMs = sliceMs;
  }

  /** What is left of the slice of this turn; negative when it was exceeded. */
  get leftMs(): number {
    const nowMs = performance.now();
    // Within the slice it does not matter whether its turn goes on; asking that costs more.
    if (nowMs > this.#endMs && turnOfLoop() !== this.#turn) this.#begin();
    return this.#endMs - nowMs;
  }

  /** Whether work under way has to stop, and work that wants to begin has to wait. */
  get isOver(): boolean {
    return this.leftMs < 0;
  }

  /** Calls `work` at once if there is time and no other work waits, else in its turn. */
  soon(work: () => void): void {
    if (this.#waiting.size > 0 || this.isOver) this.later(work);
    else work();
  }

  /**
   * Calls `work` in a later turn, behind all that waits already; it may then do at least one thing.
   * The same function waits only once.
   */
  later(work: () => void): void {
    this.#waiting.add(work);
    this.#callBack();
  }

  cancel(work: () => void): void {
    this.#waiting.delete(work);
  }

  /** Does all that waits, however long it takes. */
  finish(): void {
    for (const work of this.#waiting) this.#take(work);
  }

  #begin(): void {
    this.#endMs = performance.now() + this.#sliceMs;
    this.#turn = turnOfLoop();
  }

  #callBack(): void {
    if (this.#isCalled) return;
    this.#isCalled = true;
    setImmediate(() => this.#goOn());
  }

  #goOn(): void {
    this.#isCalled = false;
    if (this.#waiting.size === 0) return;
    this.#begin();
    // Work that is not ready by then waits behind all others again, for the next turn.
    let due = this.#waiting.size;
    for (const work of this.#waiting) {
      this.#take(work);
      due -= 1;
      if (due === 0 || this.isOver) break;
    }
    if (this.#waiting.size > 0) this.#callBack();
  }

  #take(work: () => void): void {
    this.#waiting.delete(work);
    work();
  }
}

/** An immediate would tell turns apart, too, but each keeps the loop from sleeping once more. */
function turnOfLoop(): number {
  return nodeTiming.uvMetricsInfo.loopCount;
}
