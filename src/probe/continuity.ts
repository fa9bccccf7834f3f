/** Timestamps are whole microseconds, so neighbours may differ by their rounding. */
const roundingUs = 2;
/** The time of a stream follows the clock of its source, which no listener hears. */
const maxSlew = 400e-6;

/** Checks that each chunk begins where the one before it ended. */
export class Continuity {
  #expectedUs: number | undefined;
  #slackUs = 0;
  gaps = 0;
  duplicates = 0;
  /** Audio that is missing in all gaps together, microseconds. */
  missingUs = 0;

  /** Takes the next chunk and says how it continues. */
  add(chunk: { timestampUs: number; durationUs: number }): 'next' | 'gap' | 'duplicate' {
    const { timestampUs, durationUs } = chunk;
    const expectedUs = this.#expectedUs ?? timestampUs;
    const differenceUs = timestampUs - expectedUs;
    if (differenceUs < -this.#slackUs) {
      this.duplicates += 1;
      return 'duplicate';
    }
    const isNext = differenceUs <= this.#slackUs;
    this.#expectedUs = timestampUs + durationUs;
    this.#slackUs = roundingUs + maxSlew * durationUs;
    if (isNext) return 'next';
    this.gaps += 1;
    this.missingUs += differenceUs;
    return 'gap';
  }

  /** A new codec header starts over: what follows continues nothing. */
  restart(): void {
    this.#expectedUs = undefined;
  }
}
