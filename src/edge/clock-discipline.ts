/** One question about the time and its answer, microseconds. */
export interface ClockExchange {
  /** When we asked, by our clock. */
  readonly askedUs: number;
  /** When the origin got it and when it answered, by its clock. */
  readonly receivedUs: number;
  readonly answeredUs: number;
  /** When the answer came, by our clock. */
  readonly arrivedUs: number;
}

/** Of one exchange: the clock of the origin less ours, and how far off that may be. */
interface Sample {
  readonly atUs: number;
  readonly offsetUs: number;
  readonly roundTripUs: number;
}

const windowUs = 64_000_000;
const maxSamples = 128;
/** The rate is taken from the best samples of so long steps, over so long a time. */
const stepUs = 4_000_000;
const maxSteps = 64;
const minRateSpanUs = 2 * stepUs;
/** What two clocks are read with, at best. */
const leastDistanceUs = 30;
const ppm = 1e-6;
const maxRate = 200 * ppm;
/** By how much the clocks of two machines usually differ, and how well that is known at first. */
const usualRate = 50 * ppm;
const leastRateUncertainty = 0.3 * ppm;
/** With fewer answers nothing is known. */
const lockSamples = 8;
const leastSelected = 3;
const selectedShare = 8;

/** In the beginning the output may be corrected quickly, and set anew. */
const settlingUs = 20_000_000;
const settlingSlew = 500 * ppm;
const maxSettlingErrorUs = 500;
/** So slow that no player notices: those correct ten times that. */
const slew = 50 * ppm;
const slewTimeUs = 8_000_000;
/** What was to be corrected has been, if no answer has come for so long. */
const maxCorrectionUs = 2_000_000;
/** An estimate that is so far off for so many answers is another time. */
const maxErrorUs = 20_000;
const breakAnswers = 5;

/**
 * Follows the clock of an origin by four timestamps per exchange; pure: it knows no time but what it
 * is told.
 *
 * Exchanges count by their distance, which is how much longer than the shortest of late they took, and
 * how old they are. The rate is a median of slopes, so that a drift costs no error. The output never
 * jumps: it is slewed towards the estimate, and what is too far off becomes `shiftUs`.
 */
export class ClockDiscipline {
  #samples: Sample[] = [];
  /** The best sample of each of the last steps. */
  #steps: Sample[] = [];
  #rate = 0;
  #rateUncertainty = usualRate;
  #isLocked = false;
  #lockedUs = 0;
  /** The output: offset at a time of ours, and how it goes on from there. */
  #baseUs = 0;
  #baseOffsetUs = 0;
  #correction = 0;
  #shiftUs = 0;
  #hasOutput = false;
  #farOff = 0;
  #breaks = 0;

  /** Enough is known to give the time. */
  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** It was locked once: a time is given out, whatever comes. */
  get hasOutput(): boolean {
    return this.#hasOutput;
  }

  /** How much faster than ours the clock of the origin runs. */
  get ratePpm(): number {
    return this.#rate / ppm;
  }

  /** From the origin's time to the time that is given out, which goes on when the origin's breaks. */
  get shiftUs(): number {
    return this.#shiftUs;
  }

  /** How often the origin's time was another one all of a sudden. */
  get breaks(): number {
    return this.#breaks;
  }

  /** Of all exchanges in use; infinite before the first. */
  get leastRoundTripUs(): number {
    return least(this.#samples.map(({ roundTripUs }) => roundTripUs));
  }

  /** The time that is given out less ours. */
  offsetUs(nowUs: number): number {
    const passedUs = nowUs - this.#baseUs;
    const corrected = this.#correction * Math.min(passedUs, maxCorrectionUs);
    return this.#baseOffsetUs + this.#rate * passedUs + corrected + this.#shiftUs;
  }

  /** The most by which the time that is given out may be off, but for asymmetry beyond the round trip. */
  errorBoundUs(nowUs: number): number {
    if (!this.#isLocked) return Number.POSITIVE_INFINITY;
    const leastUs = this.leastRoundTripUs;
    const distanceUs = least(
      this.#samples.map((sample) => this.#distanceUs(sample, leastUs, nowUs)),
    );
    const leftUs = Math.abs(this.#estimateUs(nowUs) + this.#shiftUs - this.offsetUs(nowUs));
    return leastUs / 2 + distanceUs + leftUs;
  }

  add({ askedUs, receivedUs, answeredUs, arrivedUs }: ClockExchange): void {
    const roundTripUs = arrivedUs - askedUs - (answeredUs - receivedUs);
    // Answers that break causality are of a clock that was set, or forged.
    if (!(roundTripUs >= 0)) return;
    const sample: Sample = {
      atUs: arrivedUs,
      offsetUs: (receivedUs - askedUs + answeredUs - arrivedUs) / 2,
      roundTripUs,
    };
    const kept = this.#samples.filter(({ atUs }) => atUs > arrivedUs - windowUs);
    // After a long time without answers the last ones are still the best that there is.
    this.#samples = (kept.length > 0 ? kept : this.#samples.slice(-leastSelected))
      .concat(sample)
      .slice(-maxSamples);
    this.#noteStep(sample);
    this.#reviewRate(arrivedUs);
    this.#follow(arrivedUs);
  }

  /** The origin has another clock from now on: the time that is given out goes on as it was. */
  restart(): void {
    this.#samples = [];
    this.#steps = [];
    this.#isLocked = false;
    this.#farOff = 0;
  }

  #noteStep(sample: Sample): void {
    const last = this.#steps.at(-1);
    const isSameStep = last && Math.floor(last.atUs / stepUs) === Math.floor(sample.atUs / stepUs);
    if (!isSameStep) this.#steps = [...this.#steps, sample].slice(-maxSteps);
    else if (sample.roundTripUs < last.roundTripUs) this.#steps[this.#steps.length - 1] = sample;
  }

  /** By Theil and Sen, of pairs that lie far enough from each other. */
  #reviewRate(nowUs: number): void {
    const steps = this.#steps;
    const spanUs = (steps.at(-1)?.atUs ?? 0) - (steps[0]?.atUs ?? 0);
    if (spanUs < minRateSpanUs) return;
    const slopes: number[] = [];
    for (const [index, late] of steps.entries()) {
      for (let early = 0; early < index; early += 1) {
        const { atUs, offsetUs } = steps[early]!;
        if (late.atUs - atUs < spanUs / 3) break;
        slopes.push((late.offsetUs - offsetUs) / (late.atUs - atUs));
      }
    }
    const leastUs = least(steps.map(({ roundTripUs }) => roundTripUs));
    const distances = steps.map(({ roundTripUs }) => distanceUs(roundTripUs, leastUs));
    const uncertainty = Math.max(leastRateUncertainty, (2 * median(distances)) / spanUs);
    // How little crystals differ tells more than a few answers that came over a bad way.
    const doubt = (3 * uncertainty) / Math.sqrt(steps.length);
    const trust = usualRate ** 2 / (usualRate ** 2 + doubt ** 2);
    this.#setRate(Math.max(-maxRate, Math.min(maxRate, trust * median(slopes))), nowUs);
    this.#rateUncertainty = Math.min(uncertainty, usualRate);
  }

  #setRate(rate: number, nowUs: number): void {
    if (this.#hasOutput) this.#rebase(nowUs);
    this.#rate = rate;
  }

  #rebase(nowUs: number): void {
    this.#baseOffsetUs = this.offsetUs(nowUs) - this.#shiftUs;
    this.#baseUs = nowUs;
    this.#correction = 0;
  }

  #follow(nowUs: number): void {
    if (!this.#isLocked) {
      if (this.#samples.length >= lockSamples) this.#lock(nowUs);
      return;
    }
    this.#rebase(nowUs);
    const errorUs = this.#estimateUs(nowUs) - this.#baseOffsetUs;
    const isSettling = nowUs < this.#lockedUs + settlingUs;
    if (isSettling && Math.abs(errorUs) > maxSettlingErrorUs) {
      this.#baseOffsetUs += errorUs;
      return;
    }
    if (Math.abs(errorUs) > maxErrorUs) {
      this.#farOff += 1;
      if (this.#farOff >= breakAnswers) this.restart();
      return;
    }
    this.#farOff = 0;
    const most = isSettling ? settlingSlew : slew;
    this.#correction = Math.max(-most, Math.min(most, errorUs / slewTimeUs));
  }

  #lock(nowUs: number): void {
    this.#isLocked = true;
    const estimateUs = this.#estimateUs(nowUs);
    if (this.#hasOutput) {
      this.#rebase(nowUs);
      // It is the same time after all.
      if (Math.abs(estimateUs - this.#baseOffsetUs) <= maxErrorUs) return;
      this.#shiftUs += this.#baseOffsetUs - estimateUs;
      this.#breaks += 1;
    } else this.#lockedUs = nowUs;
    this.#hasOutput = true;
    this.#baseUs = nowUs;
    this.#baseOffsetUs = estimateUs;
    this.#correction = 0;
  }

  #estimateUs(nowUs: number): number {
    const leastUs = this.leastRoundTripUs;
    const count = Math.max(leastSelected, Math.floor(this.#samples.length / selectedShare));
    const nearest = this.#samples
      .map((sample) => ({ sample, distanceUs: this.#distanceUs(sample, leastUs, nowUs) }))
      .sort((a, b) => a.distanceUs - b.distanceUs)
      .slice(0, count);
    let weights = 0;
    let sum = 0;
    for (const { sample, distanceUs } of nearest) {
      const weight = 1 / distanceUs ** 2;
      weights += weight;
      sum += weight * (sample.offsetUs + this.#rate * (nowUs - sample.atUs));
    }
    return sum / weights;
  }

  #distanceUs({ roundTripUs, atUs }: Sample, leastUs: number, nowUs: number): number {
    return distanceUs(roundTripUs, leastUs) + (nowUs - atUs) * this.#rateUncertainty;
  }
}

function distanceUs(roundTripUs: number, leastUs: number): number {
  return (roundTripUs - leastUs) / 2 + leastDistanceUs;
}

function least(values: readonly number[]): number {
  return Math.min(Number.POSITIVE_INFINITY, ...values);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
