import type { SRC } from '@alexanderolsen/libsamplerate-js/dist/src.js';
import { SourceError } from '../../base/errors.ts';
import { inSlices } from './in-slices.ts';

interface ResamplerShape {
  readonly channels: number;
  readonly inputRateHz: number;
  readonly outputRateHz: number;
}

/** Input frames per call, so that the library's fixed buffers always suffice. */
export const maxResamplerBlockFrames = 4096;
/** Little enough that the first blocks, whose code is not yet compiled, are quick as well. */
const warmUpFrames = 64;
const warmUpBlocks = 64;
/** Kept when it is closed, as making one takes 10 ms; each has 26 MB, most of it never touched. */
const maxIdle = 2;
/** The library takes no higher rate; the lowest lets a converted block fit into its buffers. */
export const resamplerRangeHz = { lowest: 1000, highest: 192_000 } as const;

const idleSources: SRC[] = [];

/**
 * Band-limited conversion of the sample rate, seamless from block to block.
 *
 * Output frame n lies at exactly the time n / output rate of the input: there is no lag. The last
 * frames of the input are held back until what follows is known.
 */
export class Resampler {
  readonly #source: SRC;
  readonly #channels: number;
  readonly #output: Float32Array;
  readonly #length = { frames: 0 };

  /** Failure: rejects with a `SourceError`. */
  static async create(shape: ResamplerShape): Promise<Resampler> {
    try {
      const idle = idleSources.pop();
      const source = idle ? reshaped(idle, shape) : await createSource(shape);
      const resampler = new Resampler(source, shape);
      await resampler.#warmUp();
      return resampler;
    } catch (cause) {
      throw new SourceError('resampler-unavailable', 'the resampler does not start', { cause });
    }
  }

  private constructor(source: SRC, shape: ResamplerShape) {
    this.#source = source;
    this.#channels = shape.channels;
    const ratio = shape.outputRateHz / shape.inputRateHz;
    this.#output = new Float32Array(
      Math.ceil((maxResamplerBlockFrames + 1) * ratio) * shape.channels,
    );
  }

  /**
   * Converts one block of at most `maxResamplerBlockFrames` interleaved frames.
   *
   * Ownership: the result is valid until the next call.
   */
  resample(block: Float32Array): Float32Array {
    // `full` carries its state from call to call; the library's `simple` would start anew.
    this.#source.full(block, this.#output, this.#length);
    return this.#output.subarray(0, this.#length.frames * this.#channels);
  }

  /**
   * The first calls compile code, for longer than a player that has just joined should wait, and
   * other code for mono than for stereo.
   */
  async #warmUp(): Promise<void> {
    const block = new Float32Array(warmUpFrames * this.#channels);
    await inSlices(warmUpBlocks, () => this.resample(block));
    this.reset();
  }

  /** Forgets the past: the next block starts at time 0. */
  reset(): void {
    // Setting a rate makes the library build its state anew.
    this.#source.inputSampleRate = this.#source.inputSampleRate;
  }

  close(): void {
    if (idleSources.length < maxIdle) idleSources.push(this.#source);
    else this.#source.destroy();
  }
}

async function createSource({ channels, inputRateHz, outputRateHz }: ResamplerShape): Promise<SRC> {
  const { default: library } = await import('@alexanderolsen/libsamplerate-js');
  return library.create(channels, inputRateHz, outputRateHz, {
    // 121 dB below the signal and flat to 90 % of the band: more than any lossy codec keeps.
    converterType: library.ConverterType.SRC_SINC_MEDIUM_QUALITY,
  });
}

/** Each setting makes the library build its state anew. */
function reshaped(source: SRC, { channels, inputRateHz, outputRateHz }: ResamplerShape): SRC {
  source.nChannels = channels;
  source.inputSampleRate = inputRateHz;
  source.outputSampleRate = outputRateHz;
  // The one thing that the setters leave as it was.
  source.ratio = outputRateHz / inputRateHz;
  return source;
}
