import { type Samples, toInt16, writeFloats } from '../sample-conversion.ts';
import type { SampleFormat } from '../sample-format.ts';
import { maxResamplerBlockFrames, Resampler } from './resampler.ts';

export const opusRateHz = 48_000;
export const opusChannels = 2;

/** Frames per call of `convert`: as many come out at most, however low the rate is. */
export function maxOpusInputFrames(rateHz: number): number {
  return Math.floor(maxResamplerBlockFrames * Math.min(1, rateHz / opusRateHz));
}

/**
 * Turns mono or stereo PCM of any depth and rate into 48000:16:2, the one format that opus clients
 * are given; mono is doubled.
 */
export class OpusInput {
  readonly #format: SampleFormat;
  readonly #resampler: Resampler | undefined;
  readonly #floats: Float32Array;
  #stereo = new Int16Array(0);

  static async create(format: SampleFormat): Promise<OpusInput> {
    const { rateHz, channels } = format;
    const resampler =
      rateHz === opusRateHz
        ? undefined
        : await Resampler.create({ channels, inputRateHz: rateHz, outputRateHz: opusRateHz });
    return new OpusInput(format, resampler);
  }

  private constructor(format: SampleFormat, resampler: Resampler | undefined) {
    this.#format = format;
    this.#resampler = resampler;
    this.#floats = new Float32Array(maxOpusInputFrames(format.rateHz) * format.channels);
  }

  /**
   * Converts at most `maxOpusInputFrames` frames.
   *
   * Ownership: the result is valid until the next call and may share memory with `samples`.
   */
  convert(samples: Samples): Int16Array {
    const { bits, channels } = this.#format;
    const isFinal = samples instanceof Int16Array && channels === opusChannels;
    if (isFinal && !this.#resampler) return samples;
    const floats = this.#floats.subarray(0, samples.length);
    writeFloats(samples, bits, floats);
    return this.#quantise(this.#resampler?.resample(floats) ?? floats);
  }

  reset(): void {
    this.#resampler?.reset();
  }

  #quantise(floats: Float32Array): Int16Array {
    const copies = opusChannels / this.#format.channels;
    const count = floats.length * copies;
    if (this.#stereo.length < count) this.#stereo = new Int16Array(count);
    const stereo = this.#stereo;
    for (let index = 0; index < count; index += 1) {
      stereo[index] = toInt16(floats[copies === 1 ? index : index >> 1]!);
    }
    return stereo.subarray(0, count);
  }
}
