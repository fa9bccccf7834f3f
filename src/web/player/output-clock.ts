import { ClockLine, type ClockSample } from './clock-line.ts';

/** What the browser says: this time of the audio context left the loudspeaker at that time. */
export interface OutputPair {
  readonly contextMs: number;
  /** By `performance.now()`. */
  readonly performanceMs: number;
}

export interface OutputMoment {
  /** By `performance.now()`, when the pair was asked for. */
  readonly nowMs: number;
  /** What the context renders then. */
  readonly renderedMs: number;
}

/** How pairs of one kind are judged. */
interface Trust {
  readonly noiseMs: number;
  /** What misses the line by more does not belong to it. */
  readonly missMs: number;
}

const exact: Trust = { noiseMs: 0.2, missMs: 4 };
/** Made of what is rendered, which proceeds by the buffers of the device. */
const rough: Trust = { noiseMs: 5, missMs: 30 };

const windowMs = 8000;
const neededPairs = 5;
/** That many in a row, which agree with each other, are a new line. */
const neededMisses = 4;
const oldestPairMs = 250;
const furthestPairMs = 1000;
/** The exact ones are missed for so long before others are taken. */
const patienceMs = 1000;

/**
 * When a sound leaves the loudspeaker that is scheduled at a time of the audio context.
 *
 * The delay of the output is part of it, as far as the browser knows.
 */
export class OutputClock {
  #samples: ClockSample[] = [];
  #misses: ClockSample[] = [];
  #line: ClockLine | undefined;
  #trust = exact;
  #last: OutputPair = { contextMs: 0, performanceMs: 0 };
  #takenMs = Number.NEGATIVE_INFINITY;

  get isKnown(): boolean {
    return this.#samples.length >= neededPairs;
  }

  /** Whether the browser tells pairs that can be used. */
  get isExact(): boolean {
    return this.#trust === exact;
  }

  /**
   * Takes what `getOutputTimestamp` says, or the pair that is made of the delays that the context
   * tells of while that is of no use. Returns whether what was known before is not true any more.
   */
  take(pair: OutputPair | undefined, substitute: OutputPair, moment: OutputMoment): boolean {
    const { nowMs } = moment;
    if (this.#takenMs === Number.NEGATIVE_INFINITY) this.#takenMs = nowMs;
    if (pair && this.#isCredible(pair, moment)) {
      const isRepeated =
        pair.contextMs === this.#last.contextMs || pair.performanceMs <= this.#last.performanceMs;
      if (isRepeated && nowMs - this.#takenMs < patienceMs) return false;
      if (!isRepeated) {
        this.#last = pair;
        this.#takenMs = nowMs;
        return this.#add(pair, exact);
      }
    }
    return nowMs - this.#takenMs >= patienceMs && this.#add(substitute, rough);
  }

  /** The time of the context has stopped meanwhile, or is that of another one. */
  forget(): void {
    this.#samples = [];
    this.#misses = [];
    this.#line = undefined;
    this.#last = { contextMs: 0, performanceMs: 0 };
    this.#takenMs = Number.NEGATIVE_INFINITY;
  }

  /** When a time of the context is heard, by `performance.now()`. */
  performanceMs(contextMs: number): number {
    const line = this.#line;
    if (!line) return Number.NaN;
    // The rates differ by so little that the second step is exact.
    const roughMs = contextMs - line.aheadMs(contextMs);
    return contextMs - line.aheadMs(roughMs);
  }

  /** What time of the context is heard at a time of `performance.now()`. */
  contextMs(performanceMs: number): number {
    return performanceMs + (this.#line?.aheadMs(performanceMs) ?? Number.NaN);
  }

  #isCredible({ contextMs, performanceMs }: OutputPair, moment: OutputMoment): boolean {
    const ageMs = moment.nowMs - performanceMs;
    return (
      contextMs > 0 &&
      performanceMs > 0 &&
      Math.abs(ageMs) <= oldestPairMs &&
      contextMs - ageMs <= moment.renderedMs + furthestPairMs
    );
  }

  #add({ contextMs, performanceMs }: OutputPair, trust: Trust): boolean {
    const sample = {
      atMs: performanceMs,
      aheadMs: contextMs - performanceMs,
      noiseMs: trust.noiseMs,
    };
    if (trust !== this.#trust) {
      this.#trust = trust;
      return this.#begin([sample]);
    }
    const missMs = Math.abs(sample.aheadMs - (this.#line?.aheadMs(sample.atMs) ?? sample.aheadMs));
    if (missMs > trust.missMs) return this.#miss(sample, trust);
    this.#misses = [];
    this.#samples.push(sample);
    while (sample.atMs - this.#samples[0]!.atMs > windowMs) this.#samples.shift();
    this.#line = new ClockLine(this.#samples);
    return false;
  }

  #miss(sample: ClockSample, { missMs }: Trust): boolean {
    const agrees = ({ aheadMs }: ClockSample) => Math.abs(aheadMs - sample.aheadMs) <= missMs;
    this.#misses = [...this.#misses.filter(agrees), sample];
    return this.#misses.length >= neededMisses && this.#begin(this.#misses);
  }

  #begin(samples: ClockSample[]): boolean {
    const wasKnown = this.#line !== undefined;
    this.#samples = samples;
    this.#misses = [];
    this.#line = new ClockLine(samples);
    return wasKnown;
  }
}
