import type { SRC } from '@alexanderolsen/libsamplerate-js/dist/src.js';
import { SourceError } from '../../errors.ts';

export interface ResamplerShape {
  readonly channels: number;
  readonly inputRateHz: number;
  readonly outputRateHz: number;
}

/** Input frames per call, so that the library's fixed buffers always suffice. */
export const maxResamplerBlockFrames = 4096;
const warmUpFrames = 1024;
/** The library takes no higher rate; the lowest lets a converted block fit into its buffers. */
export const resamplerRangeHz = { lowest: 1000, highest: 192_000 } as const;

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
      const { default: library } = await import('@alexanderolsen/libsamplerate-js');
      const { inputRateHz, outputRateHz, channels } = shape;
      const source = await library.create(channels, inputRateHz, outputRateHz, {
        // 121 dB below the signal and flat to 90 % of the band: more than any lossy codec keeps.
        converterType: library.ConverterType.SRC_SINC_MEDIUM_QUALITY,
      });
      const resampler = new Resampler(source, shape);
      resampler.#warmUp();
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

  /** The first call compiles code, for longer than a player that has just joined should wait. */
  #warmUp(): void {
    this.resample(new Float32Array(warmUpFrames * this.#channels));
    this.reset();
  }

  /** Forgets the past: the next block starts at time 0. */
  reset(): void {
    // Setting a rate makes the library build its state anew.
    this.#source.inputSampleRate = this.#source.inputSampleRate;
  }

  close(): void {
    this.#source.destroy();
  }
}
