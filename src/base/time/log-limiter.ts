/** Between two lines; what happens in between is not logged. */
export const logPauseMs = 10_000;

/** Keeps a peer that floods us from flooding the log as well: for lines that any peer can cause. */
export class LogLimiter {
  #lastMs = Number.NEGATIVE_INFINITY;
  #heldBack = 0;
  #unlogged = 0;

  /** How many lines were held back before the one that was let through last. */
  get unlogged(): number {
    return this.#unlogged;
  }

  /** Whether there may be a line now, which the caller then writes. */
  allows(nowMs = performance.now()): boolean {
    if (nowMs - this.#lastMs < logPauseMs) {
      this.#heldBack += 1;
      return false;
    }
    this.#lastMs = nowMs;
    this.#unlogged = this.#heldBack;
    this.#heldBack = 0;
    return true;
  }
}
