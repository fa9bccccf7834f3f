/** Timestamps are whole microseconds, so neighbours may differ by their rounding. */
const roundingUs = 2;

/** What a chunk is to the one before it. */
export type Sequel = 'next' | 'gap' | 'duplicate';

/** Checks that each chunk begins where the one before it ended. */
export class Continuity {
  #expectedUs: number | undefined;
  gaps = 0;
  duplicates = 0;
  /** Audio that is missing in all gaps together, microseconds. */
  missingUs = 0;

  /** Takes the next chunk and says how it continues. */
  add(chunk: { timestampUs: number; durationUs: number }): Sequel {
    const { timestampUs, durationUs } = chunk;
    const expectedUs = this.#expectedUs ?? timestampUs;
    const differenceUs = timestampUs - expectedUs;
    if (differenceUs < -roundingUs) {
      this.duplicates += 1;
      return 'duplicate';
    }
    this.#expectedUs = timestampUs + durationUs;
    if (differenceUs <= roundingUs) return 'next';
    this.gaps += 1;
    this.missingUs += differenceUs;
    return 'gap';
  }

  /** A new codec header starts over: what follows continues nothing. */
  restart(): void {
    this.#expectedUs = undefined;
  }
}
