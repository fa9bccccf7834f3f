/** What must not delay Time replies keeps the event loop for no longer than this. */
export const maxSliceMs = 1.5;

/**
 * The part of the event loop that one kind of work may have: all that share it keep the loop for
 * one slice of time per turn together, and what comes too late waits in line for a later turn.
 */
export class LoopShare {
  readonly #sliceMs: number;
  readonly #waiting = new Set<() => void>();
  #endMs: number | undefined;

  constructor(sliceMs = maxSliceMs) {
    this.#sliceMs = sliceMs;
  }

  /** What is left of the slice of this turn; negative when it was exceeded. */
  get leftMs(): number {
    this.#endMs ??= this.#begin();
    return this.#endMs - performance.now();
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
    this.#endMs ??= this.#begin();
    this.#waiting.add(work);
  }

  cancel(work: () => void): void {
    this.#waiting.delete(work);
  }

  /** Does all that waits, however long it takes. */
  finish(): void {
    for (const work of this.#waiting) this.#take(work);
  }

  #begin(): number {
    setImmediate(() => this.#goOn());
    return performance.now() + this.#sliceMs;
  }

  #goOn(): void {
    this.#endMs = undefined;
    if (this.#waiting.size === 0) return;
    this.#endMs = this.#begin();
    // Work that is not ready by then waits behind all others again, for the next turn.
    let due = this.#waiting.size;
    for (const work of this.#waiting) {
      this.#take(work);
      due -= 1;
      if (due === 0 || this.isOver) break;
    }
  }

  #take(work: () => void): void {
    this.#waiting.delete(work);
    work();
  }
}
