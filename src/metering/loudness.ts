import { assert } from '../base/errors.ts';

/** Mean squares are given for so much audio at a time. */
export const loudnessHopMs = 20;
const momentaryHops = 400 / loudnessHopMs;
const shortTermHops = 3000 / loudnessHopMs;
/** From one block that is gated to the next. Source: ITU-R BS.1770-4: they overlap by 75 %. */
const blockHops = 100 / loudnessHopMs;

/** Quieter blocks never count. */
const absoluteGateLufs = -70;
/** Blocks that are quieter than all others together by so much do not count either. */
const integratedGateLu = -10;
const rangeGateLu = -20;
const rangePercentiles = [0.1, 0.95] as const;

/** What is louder than full scale by so much is counted as if it were not. */
const loudestLufs = 10;
const binsPerLu = 10;

/** Loudness of K-weighted audio; minus infinity of silence. Source: ITU-R BS.1770-4, 2. */
export function loudnessLufs(meanSquare: number): number {
  return -0.691 + 10 * Math.log10(meanSquare);
}

function meanSquareAt(lufs: number): number {
  return 10 ** ((lufs + 0.691) / 10);
}

/**
 * How much each channel counts, in the order of a WAV file. Source: ITU-R BS.1770-4, tables 3 and 4:
 * what comes from the sides counts more, the subwoofer not at all.
 */
const side = 1.41;
const channelWeights: readonly (readonly number[])[] = [
  [1],
  [1, 1],
  [1, 1, 1],
  [1, 1, side, side],
  [1, 1, 1, side, side],
  [1, 1, 1, 0, side, side],
  [1, 1, 1, 0, 1, side, side],
  [1, 1, 1, 0, 1, 1, side, side],
];

/** Shape: `channels` numbers, by which to multiply the mean square of each channel. */
export function loudnessWeights(channels: number): readonly number[] {
  const weights = channelWeights[channels - 1];
  assert(weights !== undefined, `audio has ${channels} channels`);
  return weights;
}

/**
 * Loudness of a stream or a file from the mean squares of its K-weighted audio.
 *
 * Shape: takes the same memory however long the audio lasts. Audio that has not lasted as long as a
 * measure needs has the loudness minus infinity.
 * Source: ITU-R BS.1770-4, EBU Tech 3341 and 3342.
 */
export class LoudnessMeter {
  /** The last 3 s, as a ring. */
  readonly #hops = new Float64Array(shortTermHops);
  readonly #momentary = new EnergyHistogram();
  readonly #shortTerm = new EnergyHistogram();
  #count = 0;

  /** Takes the next 20 ms: the sum over all channels of weight times mean square. */
  push(meanSquare: number): void {
    // A file of floating point numbers may hold what is none.
    this.#hops[this.#count % shortTermHops] = Number.isFinite(meanSquare) ? meanSquare : 0;
    this.#count += 1;
    if (this.#count % blockHops > 0) return;
    if (this.#count >= momentaryHops) this.#momentary.add(this.#mean(momentaryHops));
    if (this.#count >= shortTermHops) this.#shortTerm.add(this.#mean(shortTermHops));
  }

  /** What was before and what comes are not one piece: the integrated measures alone go on. */
  interrupt(): void {
    this.#count = 0;
  }

  /** Of the last 400 ms. */
  get momentaryLufs(): number {
    return this.#lastLufs(momentaryHops);
  }

  /** Of the last 3 s. */
  get shortTermLufs(): number {
    return this.#lastLufs(shortTermHops);
  }

  /** Of all that is not silence nor much quieter than the rest. */
  get integratedLufs(): number {
    const gate = this.#momentary.gateAt(integratedGateLu);
    return loudnessLufs(this.#momentary.meanFrom(gate));
  }

  /** By how much the loudness changes in the course of time, LU. Source: EBU Tech 3342. */
  get rangeLu(): number {
    const gate = this.#shortTerm.gateAt(rangeGateLu);
    const [low, high] = rangePercentiles.map((share) => this.#shortTerm.percentile(gate, share));
    return high! - low!;
  }

  #lastLufs(hops: number): number {
    return this.#count < hops ? Number.NEGATIVE_INFINITY : loudnessLufs(this.#mean(hops));
  }

  /** Summed up anew each time, as a running sum would keep what rounding has left of loud audio. */
  #mean(hops: number): number {
    let sum = 0;
    for (let back = 1; back <= hops; back += 1) {
      sum += this.#hops[(this.#count - back) % shortTermHops]!;
    }
    return sum / hops;
  }
}

/**
 * The blocks above the absolute gate by their loudness, in steps of 0.1 LU.
 *
 * Each step keeps the sum of its energies, so only blocks at the very gate are judged inexactly.
 */
class EnergyHistogram {
  readonly #counts = new Float64Array((loudestLufs - absoluteGateLufs) * binsPerLu);
  readonly #sums = new Float64Array(this.#counts.length);

  add(meanSquare: number): void {
    const bin = Math.floor((loudnessLufs(meanSquare) - absoluteGateLufs) * binsPerLu);
    if (bin < 0) return;
    const last = Math.min(bin, this.#counts.length - 1);
    this.#counts[last]! += 1;
    this.#sums[last]! += meanSquare;
  }

  /** The first step that counts when those do not that are quieter by so much than all together. */
  gateAt(relativeLu: number): number {
    const gate = meanSquareAt(loudnessLufs(this.meanFrom(0)) + relativeLu);
    const first = this.#sums.findIndex((sum, bin) => sum > 0 && sum / this.#counts[bin]! >= gate);
    return first < 0 ? this.#counts.length : first;
  }

  /** 0 of nothing. */
  meanFrom(first: number): number {
    let count = 0;
    let sum = 0;
    for (let bin = first; bin < this.#counts.length; bin += 1) {
      count += this.#counts[bin]!;
      sum += this.#sums[bin]!;
    }
    return count === 0 ? 0 : sum / count;
  }

  /** Below which loudness this share of the blocks from the step `first` on are; 0 of nothing. */
  percentile(first: number, share: number): number {
    let rest = 0;
    for (let bin = first; bin < this.#counts.length; bin += 1) rest += this.#counts[bin]!;
    if (rest === 0) return 0;
    rest = (rest - 1) * share + 1;
    for (let bin = first; bin < this.#counts.length; bin += 1) {
      const count = this.#counts[bin]!;
      rest -= count;
      if (count > 0 && rest <= 0) return loudnessLufs(this.#sums[bin]! / count);
    }
    return loudestLufs;
  }
}
