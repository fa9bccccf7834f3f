/** Between two lines; what happens in between is not logged. */
export const logPauseMs = 10_000;

/** Keeps whoever floods us from flooding the log as well: for lines that any peer can cause. */
export class LogBrake {
  #lastMs = Number.NEGATIVE_INFINITY;

  /** Whether there may be a line now, which the caller then writes. */
  lets(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < logPauseMs) return false;
    this.#lastMs = nowMs;
    return true;
  }
}
