/** So long the highest peak stays where it was, and so fast it falls then. */
const holdMs = 1500;
const fallDbPerS = 20;

/** The highest peak of the last moments, for eyes. */
export class PeakHold {
  #db = Number.NEGATIVE_INFINITY;
  #sinceMs = 0;

  /** Returns where it is now. */
  take(peakDb: number, atMs: number): number {
    const fallenDb = (Math.max(0, atMs - this.#sinceMs - holdMs) / 1000) * fallDbPerS;
    const heldDb = this.#db - fallenDb;
    // Of silence nothing more may be told for long.
    if (peakDb < heldDb && Number.isFinite(peakDb)) return heldDb;
    this.#db = peakDb;
    this.#sinceMs = atMs;
    return peakDb;
  }
}
