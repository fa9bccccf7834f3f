import type { SampleFormat } from './sample-format.ts';

/** Where a chunk lies on the time base. */
export interface Place {
  readonly timestampUs: number;
  readonly startsRun: boolean;
  /** Time per sample, in units of what the sample rate says: 1 unless the source drifts. */
  readonly stretch: number;
}

/** Reading that was put off, so that several chunks are read at once. */
interface PutOff {
  /** Until when the first of them was put off. */
  readonly untilUs: number;
  /** When they were to be read: a source that is late, too, was given more time. */
  readonly wakeUs: number;
  /** What was there by then. */
  readonly presentFrames: number;
}

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
 * rounding errors; `slew` lets time pass faster or slower from the next chunk on. A chunk that comes
 * late by no more than the tolerance keeps its place: the stream catches up, unheard.
 * Beyond it the run ends and a new one starts at "now".
 */
export class Pacer {
  readonly #format: SampleFormat;
  readonly #toleranceUs: number;
  #originUs = Number.NEGATIVE_INFINITY;
  #frames = 0;
  #stretch = 1;
  /** What slews and delays have added up to before `#originUs`. */
  #slewedUs = 0;
  #isRunning = false;
  /** When the last chunk was complete, and what of its lateness this server has caused. */
  #takenUs = Number.NEGATIVE_INFINITY;
  #lateUs = 0;
  #serverLateUs = 0;
  /** When a client began to listen. */
  #wantedUs = Number.NEGATIVE_INFINITY;
  #putOff: PutOff = { untilUs: 0, wakeUs: Number.NEGATIVE_INFINITY, presentFrames: 0 };
  /** The end of the audio that was there by then. */
  #presentUs = Number.NEGATIVE_INFINITY;

  constructor(format: SampleFormat, toleranceUs: number) {
    this.#format = format;
    this.#toleranceUs = toleranceUs;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** When the next chunk may be read: once the last one is captured, even if its run is over. */
  get nextReadUs(): number {
    return this.#originUs + this.#lengthUs(this.#frames);
  }

  /** By how much slews have moved the time base since the run began. */
  get slewedUs(): number {
    return this.#slewedUs + this.#lengthUs(this.#frames) - this.#format.durationUs(this.#frames);
  }

  /** Goes on `frames` later; what is due by `nowUs` is not late, as it was not wanted before. */
  resume(frames: number, nowUs: number): void {
    this.#frames += frames;
    this.#wantedUs = nowUs;
  }

  /** What is due was not read on purpose. */
  putOff(putOff: PutOff): void {
    this.#putOff = putOff;
    this.#presentUs = this.nextReadUs + this.#lengthUs(putOff.presentFrames);
  }

  /** For how long the next chunk was not read on purpose. */
  get putOffUs(): number {
    const { nextReadUs } = this;
    return nextReadUs < this.#putOff.untilUs ? this.#putOff.untilUs - nextReadUs : 0;
  }

  /** A read begins: what it is late by since it could have begun is the fault of this server. */
  readStarted(nowUs: number): void {
    const wantedUs = Math.max(this.#wantedUs, this.#putOff.wakeUs);
    const couldStartUs = Math.max(this.nextReadUs, this.#takenUs, wantedUs);
    const leftUs = Math.min(this.#serverLateUs, Math.max(0, this.#lateUs));
    this.#serverLateUs = leftUs + Math.max(0, nowUs - couldStartUs);
  }

  /** Lets time pass by `ppm` millionths more per sample from the next chunk on. */
  slew(ppm: number): void {
    const stretch = 1 + ppm / 1e6;
    if (stretch === this.#stretch) return;
    this.#rebase(this.nextReadUs, this.slewedUs);
    this.#stretch = stretch;
  }

  /** How late samples are of which the last one, `frames` behind the last chunk, came at `nowUs`. */
  lateUs(frames: number, nowUs: number): number {
    return nowUs - this.nextReadUs - this.#lengthUs(frames);
  }

  /** Takes note that this server slept for `us` during the read that is under way. */
  stalled(us: number): void {
    this.#serverLateUs += us;
  }

  /** The read that is under way had to wait for its source: this server was late by `us` at most. */
  waited(us: number): void {
    this.#serverLateUs = Math.min(this.#serverLateUs, us);
  }

  /**
   * Takes note of a chunk of `frames` that is complete at `nowUs`.
   *
   * Returns how late it came when that ended the run; ask before `place`. That it waited to be read
   * together with others does not count.
   */
  lateness(frames: number, nowUs: number): Lateness | undefined {
    const endUs = this.nextReadUs + this.#lengthUs(frames);
    const heldUs = endUs <= this.#presentUs ? this.putOffUs : 0;
    const lateUs = Math.min(nowUs - endUs - heldUs, nowUs - this.#wantedUs);
    if (!this.#isRunning || lateUs <= this.#toleranceUs) return undefined;
    return { lateUs, side: this.#serverLateUs > lateUs / 2 ? 'server' : 'source' };
  }

  /**
   * Gives a chunk of `frames` its timestamp: a new run counts from `nowUs` minus its duration, but
   * never goes back behind the run before it.
   */
  place(frames: number, nowUs: number): Place {
    const startsRun = !this.#isRunning;
    if (startsRun) {
      this.#isRunning = true;
      const captureUs = nowUs - this.#format.durationUs(frames);
      this.#rebase(Math.max(captureUs, this.nextReadUs), 0);
      this.#stretch = 1;
    }
    const timestampUs = this.nextReadUs;
    this.#lateUs = this.lateUs(frames, nowUs);
    this.#takenUs = nowUs;
    this.#frames += frames;
    return { timestampUs, startsRun, stretch: this.#stretch };
  }

  /** Moves the time base: what was placed last and what follows come `us` later. */
  postpone(us: number): void {
    this.#originUs += us;
    this.#slewedUs += us;
    this.#lateUs -= us;
  }

  /** Ends the run: the next chunk starts a new one. */
  end(): void {
    this.#isRunning = false;
  }

  #rebase(originUs: number, slewedUs: number): void {
    this.#originUs = originUs;
    this.#slewedUs = slewedUs;
    this.#frames = 0;
  }

  #lengthUs(frames: number): number {
    return this.#format.durationUs(frames) * this.#stretch;
  }
}
