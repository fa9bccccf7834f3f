import { inSlices } from '../../base/time/in-slices.ts';

interface ResamplerShape {
  readonly channels: number;
  readonly inputRateHz: number;
  readonly outputRateHz: number;
  /** Absent: the long one. */
  readonly filter?: keyof typeof filters;
}

/** Input frames per call. */
export const maxResamplerBlockFrames = 4096;
/** Beyond them the filter would hold back too much, or take too long. */
export const resamplerRangeHz = { lowest: 1000, highest: 192_000 } as const;

/**
 * Zero crossings on each side, and the steepness of the window. The long one is flat to 0.001 dB below 88 % of
 * the band, and leaves -115 dB of what lies 2 % beyond it; the short one takes a third of the time, is flat to
 * 0.1 dB below 85 %, and leaves -70 dB of what lies 12 % beyond.
 */
const filters = {
  long: { crossings: 64, steepness: 11.5 },
  short: { crossings: 20, steepness: 7 },
} as const;
/** Where half of the amplitude is left, as a share of the band. */
const cutoff = 0.95;
/** Two rates that need more phases get those that are interpolated between these, to -106 dB. */
const maxExactPhases = 640;
const interpolatedPhases = 512;
/** The first calls are slow, as their code is not compiled yet. */
const warmUpFrames = 64;
const warmUpBlocks = 64;

/**
 * Band-limited conversion of the sample rate by a windowed sinc, seamless from block to block.
 *
 * Output frame n lies at exactly the time n / output rate of the input: there is no lag. The last
 * frames of the input are held back until what follows is known.
 */
export class Resampler {
  readonly #filter: Filter;
  /** One for each channel: the frames that the filter still needs, then those of a block. */
  readonly #inputs: readonly Float64Array[];
  readonly #output: Float32Array;
  /** Frames in `#inputs`. */
  #held = 0;
  /** Of the next output frame: the first frame in `#inputs` that it needs, and its phase behind that. */
  #next = 0;
  #phase = 0;

  static async create(shape: ResamplerShape): Promise<Resampler> {
    const resampler = new Resampler(await makeFilter(shape), shape);
    const block = new Float32Array(warmUpFrames * shape.channels);
    await inSlices(warmUpBlocks, () => resampler.resample(block));
    resampler.reset();
    return resampler;
  }

  private constructor(filter: Filter, { channels, inputRateHz, outputRateHz }: ResamplerShape) {
    this.#filter = filter;
    this.#inputs = Array.from(
      { length: channels },
      () => new Float64Array(filter.taps + maxResamplerBlockFrames),
    );
    const maxFrames = Math.ceil(((maxResamplerBlockFrames + 1) * outputRateHz) / inputRateHz);
    this.#output = new Float32Array(maxFrames * channels);
    this.reset();
  }

  /**
   * Converts one block of at most `maxResamplerBlockFrames` interleaved frames.
   *
   * Ownership: the result is valid until the next call.
   */
  resample(block: Float32Array): Float32Array {
    this.#take(block);
    const { taps, phases, step } = this.#filter;
    let length = 0;
    while (this.#next + taps <= this.#held) {
      for (const input of this.#inputs) {
        this.#output[length] = this.#sampleOf(input);
        length += 1;
      }
      this.#phase += step;
      const frames = Math.floor(this.#phase / phases);
      this.#phase -= frames * phases;
      this.#next += frames;
    }
    return this.#output.subarray(0, length);
  }

  /** Forgets the past: the next block starts at time 0. */
  reset(): void {
    // The middle of the filter lies on the first frame, with silence before it.
    this.#held = this.#filter.taps / 2 - 1;
    for (const input of this.#inputs) input.fill(0, 0, this.#held);
    this.#next = 0;
    this.#phase = 0;
  }

  /** Behind what is still needed of the past, which moves to the front. */
  #take(block: Float32Array): void {
    const { length: channels } = this.#inputs;
    // When the rate falls the next output may begin behind all that is here.
    const gone = Math.min(this.#next, this.#held);
    this.#inputs.forEach((input, channel) => {
      input.copyWithin(0, gone, this.#held);
      let at = this.#held - gone;
      for (let index = channel; index < block.length; index += channels) {
        input[at] = block[index]!;
        at += 1;
      }
    });
    this.#next -= gone;
    this.#held += block.length / channels - gone;
  }

  #sampleOf(input: Float64Array): number {
    const { rows, rowsPerPhase } = this.#filter;
    const place = this.#phase * rowsPerPhase;
    const row = Math.floor(place);
    const sample = product(input, this.#next, rows[row]!);
    const share = place - row;
    if (share === 0) return sample;
    return sample + share * (product(input, this.#next, rows[row + 1]!) - sample);
  }
}

/** Four sums, as the processor adds one while it waits for the others; there are even more taps. */
function product(input: Float64Array, start: number, row: Float64Array): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let tap = 0; tap < row.length; tap += 4) {
    a += input[start + tap]! * row[tap]!;
    b += input[start + tap + 1]! * row[tap + 1]!;
    c += input[start + tap + 2]! * row[tap + 2]!;
    d += input[start + tap + 3]! * row[tap + 3]!;
  }
  return a + b + (c + d);
}

interface Filter {
  /** Frames of the input that one of the output is made of. */
  readonly taps: number;
  /** Into so many the time between two input frames is cut, and each output frame is `step` later. */
  readonly phases: number;
  readonly step: number;
  /** The weights of the taps, in even distances of phases. */
  readonly rows: readonly Float64Array[];
  /** 1 when each phase has its row. */
  readonly rowsPerPhase: number;
}

async function makeFilter(shape: ResamplerShape): Promise<Filter> {
  const { inputRateHz, outputRateHz, filter = 'long' } = shape;
  const { crossings, steepness } = filters[filter];
  const divisor = greatestCommonDivisor(inputRateHz, outputRateHz);
  const phases = outputRateHz / divisor;
  // The band is that of the lower rate.
  const band = Math.min(1, outputRateHz / inputRateHz);
  const taps = 4 * Math.ceil(crossings / band / 2);
  const parts = phases <= maxExactPhases ? phases : interpolatedPhases;
  const rows: Float64Array[] = [];
  // One more than parts: what lies behind the last one is interpolated, too.
  await inSlices(parts + 1, () =>
    rows.push(weights({ taps, steepness, band: cutoff * band }, rows.length / parts)),
  );
  return { taps, phases, step: inputRateHz / divisor, rows, rowsPerPhase: parts / phases };
}

/** For an output frame that is `delay` input frames behind the one in the middle. */
function weights(
  { taps, steepness, band }: Readonly<Record<'taps' | 'steepness' | 'band', number>>,
  delay: number,
): Float64Array {
  const half = taps / 2;
  const row = new Float64Array(taps);
  let sum = 0;
  for (let tap = 0; tap < taps; tap += 1) {
    const distance = tap - (half - 1) - delay;
    const angle = Math.PI * band * distance;
    // Source: Barnett, Magland, af Klinteberg 2019, the "exponential of semicircle" window.
    const inside = Math.max(0, 1 - (distance / half) ** 2);
    const window = Math.exp(steepness * (Math.sqrt(inside) - 1));
    row[tap] = (angle === 0 ? 1 : Math.sin(angle) / angle) * window;
    sum += row[tap]!;
  }
  // So that silence that is not at zero stays where it is.
  return row.map((weight) => weight / sum);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
