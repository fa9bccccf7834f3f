import { SourceError } from '../base/errors.ts';
import type { Dsp } from '../dsp/dsp.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { maxResamplerBlockFrames, Resampler, resamplerRangeHz } from './encoders/resampler.ts';
import type { SampleFormat } from './sample-format.ts';
import type { TimedPcm } from './stage.ts';

interface ConverterShape {
  readonly from: SampleFormat;
  readonly to: SampleFormat;
}

interface ConverterOptions extends ConverterShape {
  readonly pool: ChunkPool;
  readonly dsp: Dsp;
}

/** Silence that is led through the filter behind the end of a run. */
const tailBlockFrames = 256;
const mean = -1;

/** Makes timed PCM of one format into that of another: rate, bits and channels. */
export class PcmConverter {
  readonly #options: ConverterOptions;
  /** Absent: both have one rate. */
  readonly #resampler: Resampler | undefined;
  /** By channel of the output, that of the input. */
  readonly #picks: Int32Array;
  readonly #dither: Uint32Array | undefined;
  #floats = new Float32Array(0);
  #picked = new Float32Array(0);
  #made = new Float32Array(0);
  /** Of the run, before and behind. */
  #inputFrames = 0;
  #outputFrames = 0;
  /** Where what went in ends. */
  #end: Omit<TimedPcm, 'chunk'> | undefined;

  /** Failure: rejects with a `SourceError` when there is no way from one to the other. */
  static async create(options: ConverterOptions): Promise<PcmConverter> {
    const { from, to } = options;
    if (from.rateHz === to.rateHz) return new PcmConverter(options, undefined);
    const { lowest, highest } = resamplerRangeHz;
    const isInRange = [from, to].every(({ rateHz }) => rateHz >= lowest && rateHz <= highest);
    if (!isInRange) {
      throw new SourceError('no-resampler', `rates of ${lowest} to ${highest} Hz can be converted`);
    }
    const channels = Math.min(from.channels, to.channels);
    const rates = { inputRateHz: from.rateHz, outputRateHz: to.rateHz };
    return new PcmConverter(options, await Resampler.create({ channels, ...rates }));
  }

  private constructor(options: ConverterOptions, resampler: Resampler | undefined) {
    const { from, to } = options;
    this.#options = options;
    this.#resampler = resampler;
    this.#picks = picksOf(from.channels, to.channels);
    const isExact = !resampler && to.bits >= from.bits && this.#picks[0] !== mean;
    this.#dither = isExact || to.bits === 32 ? undefined : new Uint32Array([1]);
  }

  /** What has been held back belongs to a run that is over. */
  reset(): void {
    this.#resampler?.reset();
    this.#inputFrames = 0;
    this.#outputFrames = 0;
    this.#end = undefined;
  }

  /** `undefined` when all of it is held back. Ownership: borrows the chunk; the result is the caller's. */
  convert(pcm: TimedPcm): TimedPcm | undefined {
    const { from, to } = this.#options;
    if (!this.#continues(pcm)) this.reset();
    const { chunk, timestampUs, stretch } = pcm;
    const frames = chunk.payloadBytes / from.frameBytes;
    const shiftUs = to.durationUs(this.#outputFrames) - from.durationUs(this.#inputFrames);
    this.#floats = room(this.#floats, frames * from.channels);
    const floats = this.#floats.subarray(0, frames * from.channels);
    this.#options.dsp.toFloat(chunk.payload, from, floats);
    this.#inputFrames += frames;
    const endUs = timestampUs + from.durationUs(frames) * stretch;
    this.#end = { timestampUs: endUs, stretch, startsRun: false };
    const made = this.#convert(floats, frames);
    return this.#pcmOf(made, { ...pcm, timestampUs: timestampUs + shiftUs * stretch });
  }

  /** What is still held back of the run. Ownership: as `convert`. */
  finish(): TimedPcm | undefined {
    const { from, to } = this.#options;
    const end = this.#end;
    if (!end || !this.#resampler) return undefined;
    const all = Math.round((this.#inputFrames * to.rateHz) / from.rateHz);
    const rest = all - this.#outputFrames;
    const parts: Float32Array[] = [];
    const silence = new Float32Array(tailBlockFrames * from.channels);
    for (let made = 0; made < rest * to.channels; ) {
      const part = this.#convert(silence, tailBlockFrames).slice();
      parts.push(part);
      made += part.length;
    }
    const tail = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      tail.set(part, at);
      at += part.length;
    }
    const timestampUs = end.timestampUs - to.durationUs(rest) * end.stretch;
    const pcm = this.#pcmOf(tail.subarray(0, rest * to.channels), { ...end, timestampUs });
    this.reset();
    return pcm;
  }

  #continues({ timestampUs, startsRun }: TimedPcm): boolean {
    if (!this.#end || startsRun) return false;
    return Math.abs(timestampUs - this.#end.timestampUs) <= this.#options.from.durationUs(1);
  }

  /** Where there are fewer channels they are converted. */
  #convert(floats: Float32Array, frames: number): Float32Array {
    const { from, to } = this.#options;
    const isNarrower = to.channels < from.channels;
    const narrow = isNarrower ? this.#pick(floats, frames) : floats;
    const resampled = this.#resampler ? this.#resample(narrow, frames) : narrow;
    if (isNarrower || to.channels === from.channels) return resampled;
    return this.#pick(resampled, resampled.length / from.channels);
  }

  #resample(floats: Float32Array, frames: number): Float32Array {
    const { from, to } = this.#options;
    const channels = floats.length / frames;
    const mostFrames = Math.ceil(((frames + maxResamplerBlockFrames) * to.rateHz) / from.rateHz);
    this.#made = room(this.#made, mostFrames * channels);
    let length = 0;
    for (let done = 0; done < frames; done += maxResamplerBlockFrames) {
      const end = Math.min(frames, done + maxResamplerBlockFrames);
      const part = this.#resampler!.resample(floats.subarray(done * channels, end * channels));
      this.#made.set(part, length);
      length += part.length;
    }
    return this.#made.subarray(0, length);
  }

  #pick(floats: Float32Array, frames: number): Float32Array {
    const { from, to, dsp } = this.#options;
    this.#picked = room(this.#picked, frames * to.channels);
    const picked = this.#picked.subarray(0, frames * to.channels);
    dsp.pickChannels(floats, from.channels, this.#picks, picked);
    if (from.channels === 1) return picked;
    for (let channel = from.channels; channel < to.channels; channel += 1) {
      for (let at = channel; at < picked.length; at += to.channels) picked[at] = 0;
    }
    return picked;
  }

  #pcmOf(made: Float32Array, place: Omit<TimedPcm, 'chunk'>): TimedPcm | undefined {
    const { to, pool, dsp } = this.#options;
    if (made.length === 0) return undefined;
    const chunk = pool.acquire(made.length * to.sampleBytes, 'a conversion');
    chunk.payloadBytes = made.length * to.sampleBytes;
    // Silence stays silent.
    const dither = made.some((sample) => sample !== 0) ? this.#dither : undefined;
    dsp.fromFloat(made, chunk.payload, to, dither);
    this.#outputFrames += made.length / to.channels;
    return { ...place, chunk };
  }
}

/** One channel becomes all, all become their mean, else as many as there are on both sides stay. */
function picksOf(from: number, to: number): Int32Array {
  if (from > 1 && to === 1) return Int32Array.of(mean);
  return Int32Array.from({ length: to }, (_, channel) => (channel < from ? channel : 0));
}

function room(floats: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
  return floats.length >= length ? floats : new Float32Array(length);
}
