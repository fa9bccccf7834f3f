import { maxResamplerBlockFrames, Resampler } from '../audio/encoders/resampler.ts';
import { RunTime } from '../audio/run-time.ts';
import type { SampleFormat } from '../audio/sample-format.ts';
import type { TimedPcm } from '../audio/stage.ts';
import type { Dsp } from '../dsp/dsp.ts';

/** Takes a piece of what was converted. Ownership: `samples` are valid within the call. */
export type TakeSamples = (
  samples: Float32Array,
  place: { readonly timestampUs: number; readonly startsRun: boolean },
) => void;

const meanOfAll = Int32Array.of(-1);

/** Makes floats of another rate, or of one channel, of the PCM of a stream; their times stay right. */
export class PcmConversion {
  readonly #dsp: Dsp;
  readonly #format: SampleFormat;
  readonly #rateHz: number;
  /** Absent where the rate stays. */
  readonly #resampler: Resampler | undefined;
  readonly #samples: Float32Array;
  /** Absent where the channels stay. */
  readonly #mono: Float32Array | undefined;
  #runTime = new RunTime();
  /** Of the run, before and behind the conversion. */
  #inputFrames = 0;
  #outputFrames = 0;

  static async create(options: {
    readonly dsp: Dsp;
    readonly format: SampleFormat;
    readonly rateHz: number;
    readonly channels: number;
  }): Promise<PcmConversion> {
    const { format, rateHz, channels } = options;
    const shape = { channels, inputRateHz: format.rateHz, outputRateHz: rateHz };
    const resampler = rateHz === format.rateHz ? undefined : await Resampler.create(shape);
    return new PcmConversion({ ...options, resampler });
  }

  private constructor({
    dsp,
    format,
    rateHz,
    channels,
    resampler,
  }: {
    readonly dsp: Dsp;
    readonly format: SampleFormat;
    readonly rateHz: number;
    readonly channels: number;
    readonly resampler: Resampler | undefined;
  }) {
    this.#dsp = dsp;
    this.#format = format;
    this.#rateHz = rateHz;
    this.#resampler = resampler;
    this.#samples = new Float32Array(maxResamplerBlockFrames * format.channels);
    const isMixed = channels !== format.channels;
    this.#mono = isMixed ? new Float32Array(maxResamplerBlockFrames) : undefined;
  }

  /** The last few milliseconds of a run stay in the filter where the rate is another. */
  convert(pcm: TimedPcm, take: TakeSamples): void {
    const { frameBytes } = this.#format;
    const { payload } = pcm.chunk;
    if (pcm.startsRun) this.#startRun();
    this.#runTime.add(this.#format.durationUs(this.#inputFrames), pcm);
    const blockBytes = maxResamplerBlockFrames * frameBytes;
    for (let at = 0; at < payload.length; at += blockBytes) {
      const block = payload.subarray(at, at + blockBytes);
      const samples = this.#resample(this.#floatsOf(block));
      this.#inputFrames += block.length / frameBytes;
      if (samples.length > 0) this.#hand(samples, take);
    }
  }

  #startRun(): void {
    this.#runTime = new RunTime();
    this.#inputFrames = 0;
    this.#outputFrames = 0;
    this.#resampler?.reset();
  }

  #floatsOf(block: Buffer): Float32Array {
    const { channels, frameBytes } = this.#format;
    const frames = block.length / frameBytes;
    const samples = this.#samples.subarray(0, frames * channels);
    this.#dsp.toFloat(block, this.#format, samples);
    const mono = this.#mono?.subarray(0, frames);
    if (mono) this.#dsp.pickChannels(samples, channels, meanOfAll, mono);
    return mono ?? samples;
  }

  #resample(samples: Float32Array): Float32Array {
    return this.#resampler?.resample(samples) ?? samples;
  }

  #hand(samples: Float32Array, take: TakeSamples): void {
    const startUs = (this.#outputFrames * 1e6) / this.#rateHz;
    take(samples, {
      timestampUs: this.#runTime.at(startUs),
      startsRun: this.#outputFrames === 0,
    });
    this.#outputFrames += samples.length / (this.#mono ? 1 : this.#format.channels);
  }
}
