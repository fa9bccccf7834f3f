import { Trend } from './trend.ts';

/** Players correct that inaudibly. */
const maxSlewPpm = 320;
/** What of a phase error is corrected in a second: gently, so that jitter hardly moves the slew. */
const phaseShare = 1 / 200;
/** The least delayed arrival of so much time is what counts. */
const sliceUs = 250_000;
const windowSlices = 40;
/** More than the time between two writes of most producers. */
const recentSlices = 8;
/** A producer may hurry by so much more than real time and still be a live one. */
const burstShare = 0.24;
/** Small advances at the beginning of a run are those of a producer that gets into its stride. */
const settlingUs = 10_000_000;
const maxSettlingAdvanceUs = 50_000;
/** A drift that cannot be told from none within this time is none. */
const calmUs = 300_000_000;
const calmPpm = 8;
/** A drift is told when it has moved the source by more than the dead band, or after this time. */
const leastDriftUs = 30_000_000;

interface Arrival {
  /** When it was looked at. */
  readonly nowUs: number;
  /** How far the newest sample was behind its place on the time base then; negative: ahead. */
  readonly lateUs: number;
  /** What slews and drops have moved that place by since the run began. */
  readonly shiftUs: number;
}

/**
 * Follows the clock of a live source, which is never quite that of this machine.
 *
 * Jitter only delays, so what counts is the least late arrival of a window. While that stays where
 * it was at the beginning of the run, give or take the dead band, there is no drift, and timestamps
 * are those of the sample counts. Else the slew follows frequency and phase of the source. What
 * arrives much faster than real time comes from a producer that is held back by its reader: that
 * says nothing of a clock, and moves the place to which the phase is compared.
 */
export class SourceClock {
  readonly #deadBandUs: number;
  readonly #trend = new Trend();
  /** The least lateness of each slice of the window, oldest first. */
  #slices: number[] = [];
  #slice: Arrival | undefined;
  #sliceEndUs = 0;
  #sliceUs = 0;
  #startUs = 0;
  #targetUs = 0;
  #settlingFloorUs = 0;
  #windowEndUs = 0;
  #isFollowing = false;
  #slewPpm = 0;
  #driftPpm = 0;

  constructor(deadBandUs: number) {
    this.#deadBandUs = deadBandUs;
  }

  /** By how much faster than its own rate time has to pass for the source to be in step. */
  get slewPpm(): number {
    return this.#slewPpm;
  }

  /** How much faster than this machine's clock the source runs; of the last run when there is none. */
  get driftPpm(): number {
    return this.#driftPpm;
  }

  /** By how much the source was ahead of its place lately. */
  get advanceUs(): number {
    const recent = this.#slices.slice(-recentSlices);
    return recent.length === 0 ? 0 : this.#targetUs - Math.min(...recent);
  }

  /** A new run: what is known of the old one says nothing about it. */
  restart(): void {
    this.#slices = [];
    this.#slice = undefined;
    this.#startUs = 0;
    this.#isFollowing = false;
    this.#slewPpm = 0;
    this.#trend.clear();
  }

  /** What was ahead was dropped. */
  skipped(): void {
    this.#slices = [];
    this.#slice = undefined;
  }

  observe(arrival: Arrival): void {
    if (this.#startUs === 0) this.#begin(arrival);
    if (arrival.nowUs >= this.#sliceEndUs) this.#endSlice(arrival.nowUs);
    if (!this.#slice || arrival.lateUs < this.#slice.lateUs) this.#slice = arrival;
  }

  #begin({ nowUs, lateUs }: Arrival): void {
    this.#startUs = nowUs;
    this.#targetUs = lateUs;
    this.#settlingFloorUs = lateUs - maxSettlingAdvanceUs;
    this.#sliceUs = nowUs;
    this.#sliceEndUs = nowUs + sliceUs;
    this.#windowEndUs = nowUs + settlingUs;
    this.#slices = [lateUs];
  }

  #endSlice(nowUs: number): void {
    const slice = this.#slice;
    this.#sliceEndUs = nowUs + sliceUs;
    if (!slice) return;
    this.#slice = undefined;
    this.#noteBurst(slice);
    if (this.#slices.length === windowSlices) this.#slices.shift();
    this.#slices.push(slice.lateUs);
    this.#trend.add(slice.nowUs, slice.lateUs + slice.shiftUs);
    if (slice.nowUs - this.#startUs < settlingUs) this.#settle(slice.lateUs);
    this.#noteDrift();
    if (nowUs < this.#windowEndUs) return;
    this.#windowEndUs = nowUs + windowSlices * sliceUs;
    this.#follow();
  }

  /** More has come than any live producer plays meanwhile: it fills what there is to be filled. */
  #noteBurst(slice: Arrival): void {
    const elapsedUs = slice.nowUs - this.#sliceUs;
    this.#sliceUs = slice.nowUs;
    if (this.#slices.length === 0) return;
    const advanceUs = Math.min(...this.#slices.slice(-recentSlices)) - slice.lateUs;
    if (advanceUs <= burstShare * Math.max(sliceUs, elapsedUs)) return;
    this.#targetUs = Math.min(this.#targetUs, slice.lateUs);
    this.#settlingFloorUs = this.#targetUs - maxSettlingAdvanceUs;
    this.#slices = [];
    this.#trend.clear();
  }

  #settle(lateUs: number): void {
    this.#targetUs = Math.max(Math.min(this.#targetUs, lateUs), this.#settlingFloorUs);
  }

  #noteDrift(): void {
    const { slope, lengthUs } = this.#trend;
    const isTold = lengthUs >= leastDriftUs || Math.abs(slope * lengthUs) > this.#deadBandUs;
    if (isTold) this.#driftPpm = -1e6 * slope;
  }

  #follow(): void {
    const phaseUs = Math.min(...this.#slices) - this.#targetUs;
    const ppm = 1e6 * this.#trend.slope;
    if (!this.#isFollowing) this.#isFollowing = Math.abs(phaseUs) > this.#deadBandUs;
    else if (Math.abs(phaseUs) < this.#deadBandUs / 3 && this.#isCalm(ppm))
      this.#isFollowing = false;
    const slewPpm = this.#isFollowing ? Math.round(ppm + phaseUs * phaseShare) : 0;
    this.#slewPpm = Math.max(-maxSlewPpm, Math.min(maxSlewPpm, slewPpm));
  }

  #isCalm(ppm: number): boolean {
    return this.#trend.lengthUs >= calmUs && Math.abs(ppm) < calmPpm;
  }
}
