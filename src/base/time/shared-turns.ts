/**
 * Shares the event loop among many who have much to do. Together, not each of them, they keep it
 * for one slice of time per turn of the loop; who comes too late waits in line for a later turn.
 */
export class SharedTurns {
  readonly #sliceMs: number;
  readonly #waiting: (() => void)[] = [];
  #endMs: number | undefined;

  constructor(sliceMs: number) {
    this.#sliceMs = sliceMs;
  }

  /** Whether whoever is at work has to stop, and whoever wants to begin has to wait. */
  get isOver(): boolean {
    this.#endMs ??= this.#begin();
    return performance.now() > this.#endMs;
  }

  /** Calls `work` in a later turn, behind all who wait already; it may then do at least one thing. */
  later(work: () => void): void {
    this.#endMs ??= this.#begin();
    this.#waiting.push(work);
  }

  #begin(): number {
    setImmediate(() => this.#goOn());
    return performance.now() + this.#sliceMs;
  }

  #goOn(): void {
    this.#endMs = undefined;
    if (this.#waiting.length === 0) return;
    const endMs = this.#begin();
    this.#endMs = endMs;
    // Taken out, as who is not ready by then waits behind all others again.
    const waiting = this.#waiting.splice(0);
    let done = 0;
    do waiting[done++]?.();
    while (done < waiting.length && performance.now() <= endMs);
    this.#waiting.unshift(...waiting.slice(done));
  }
}
