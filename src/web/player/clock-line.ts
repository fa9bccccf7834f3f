/** How far one clock was ahead of another at a time of the latter. */
export interface ClockSample {
  readonly atMs: number;
  readonly aheadMs: number;
  /** How far the sample may be off; those that are better count for more. */
  readonly noiseMs: number;
}

/** Clocks of computers and of sound cards run at most about this much too fast or too slow. */
const usualDrift = 100e-6;

/** One clock as seen from another: ahead by what changes at a steady rate. */
export class ClockLine {
  readonly #atMs: number;
  readonly #aheadMs: number;
  readonly drift: number;

  /**
   * The line through samples, of which there is at least one; its slope is that of equal clocks
   * until they say otherwise.
   */
  constructor(samples: readonly ClockSample[]) {
    const first = samples[0]!;
    let weights = 0;
    let meanAt = 0;
    let meanAhead = 0;
    for (const { atMs, aheadMs, noiseMs } of samples) {
      const weight = noiseMs ** -2;
      weights += weight;
      // From the first one on: sums of squares of large numbers would lose what matters.
      meanAt += weight * (atMs - first.atMs);
      meanAhead += weight * (aheadMs - first.aheadMs);
    }
    meanAt /= weights;
    meanAhead /= weights;
    let spread = usualDrift ** -2;
    let joint = 0;
    for (const { atMs, aheadMs, noiseMs } of samples) {
      const weight = noiseMs ** -2;
      const distance = atMs - first.atMs - meanAt;
      spread += weight * distance ** 2;
      joint += weight * distance * (aheadMs - first.aheadMs - meanAhead);
    }
    this.#atMs = first.atMs + meanAt;
    this.#aheadMs = first.aheadMs + meanAhead;
    this.drift = joint / spread;
  }

  aheadMs(atMs: number): number {
    return this.#aheadMs + this.drift * (atMs - this.#atMs);
  }
}
