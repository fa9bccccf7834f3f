import type { SampleFormat } from './sample-format.ts';

/** How late a chunk came, and through whom. */
export interface Lateness {
  readonly lateUs: number;
  /** Which side was late: the producer of the audio, or this server. */
  readonly side: 'source' | 'server';
}

/**
 * The time base of one stream: sample counts on one monotonic clock.
 *
 * Within a run every timestamp follows from the number of frames alone, so nothing accumulates
 * rounding errors. A chunk that comes late by no more than the tolerance keeps its place: the
 * stream catches up, and nobody hears it. Beyond it the run ends and a new one starts at "now".
 */
export class Pacer {
  readonly #format: SampleFormat;
  readonly #toleranceUs: number;
  #originUs = Number.NEGATIVE_INFINITY;
  #earliestUs = Number.NEGATIVE_INFINITY;
  #frames = 0;
  #isRunning = false;
  #serverLateUs = 0;
  /** When somebody began to listen. */
  #wantedUs = Number.NEGATIVE_INFINITY;

  constructor(format: SampleFormat, toleranceUs: number) {
    this.#format = format;
    this.#toleranceUs = toleranceUs;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /**
   * When the next chunk may be read: the moment at which the last one has been captured, also
   * when its run is over.
   */
  get nextReadUs(): number {
    return this.#originUs + this.#format.durationUs(this.#frames);
  }

  /** Goes on `frames` later; what is due by `nowUs` is not late, as nobody has asked for it before. */
  resume(frames: number, nowUs: number): void {
    this.#frames += frames;
    this.#wantedUs = nowUs;
  }

  readStarted(nowUs: number): void {
    this.#serverLateUs = nowUs - this.nextReadUs;
  }

  /** Takes note that this server slept for `us` during the read that is under way. */
  stalled(us: number): void {
    this.#serverLateUs += us;
  }

  /**
   * Takes note of a chunk of `frames` that is complete at `nowUs`.
   *
   * Returns how late it came when that ended the run; ask before `place`.
   */
  lateness(frames: number, nowUs: number): Lateness | undefined {
    const dueUs = Math.max(this.nextReadUs + this.#format.durationUs(frames), this.#wantedUs);
    const lateUs = nowUs - dueUs;
    if (!this.#isRunning || lateUs <= this.#toleranceUs) return undefined;
    return { lateUs, side: this.#serverLateUs > lateUs / 2 ? 'server' : 'source' };
  }

  /**
   * Gives a chunk of `frames` its timestamp: a new run counts from `nowUs` minus its duration, but
   * never goes back behind what was sent of the run before it.
   */
  place(frames: number, nowUs: number): { timestampUs: number; startsRun: boolean } {
    const startsRun = !this.#isRunning;
    if (startsRun) {
      this.#isRunning = true;
      const captureUs = nowUs - this.#format.durationUs(frames);
      this.#originUs = Math.max(captureUs, this.nextReadUs, this.#earliestUs);
      this.#frames = 0;
    }
    const timestampUs = this.nextReadUs;
    this.#frames += frames;
    return { timestampUs, startsRun };
  }

  /** Takes note that what was placed so far is followed by `paddingUs` of silence. */
  padded(paddingUs: number): void {
    this.#earliestUs = Math.max(this.#earliestUs, this.nextReadUs + paddingUs);
  }

  /** Whether what was sent, with its padding, reaches into the next chunk. */
  get overlaps(): boolean {
    return this.#earliestUs > this.nextReadUs;
  }

  /** Ends the run: the next chunk starts a new one. */
  end(): void {
    this.#isRunning = false;
  }
}
