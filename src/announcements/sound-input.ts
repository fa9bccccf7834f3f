import { Resampler, resamplerRangeHz } from '../audio/encoders/resampler.ts';
import type { MixFormat, MixInput } from '../audio/mix-input.ts';
import { AnnounceError } from './announce-error.ts';
import type { Sound } from './sound.ts';

/** Frames of a sound that are converted at a time. */
const blockFrames = 1024;

/** One of the sounds of an announcement, and how loud it is to be. */
export interface Part {
  readonly sound: Sound;
  readonly gain: number;
}

interface Rates {
  readonly inputRateHz: number;
  readonly outputRateHz: number;
}

/** Speech in one channel is converted once, however many channels it is heard from. */
function mixedChannels(soundChannels: number, streamChannels: number): number {
  return Math.min(soundChannels, streamChannels, 2);
}

/** The sounds of an announcement one after the other, in rate and channels of one stream. */
export class SoundInput implements MixInput {
  readonly #parts: readonly Part[];
  readonly #format: MixFormat;
  readonly #resamplers: ReadonlyMap<Sound, Resampler>;
  #index = -1;
  #converter: PartConverter | undefined;

  /** Failure: rejects with an `AnnounceError` when the stream has a rate that cannot be converted to. */
  static async open(parts: readonly Part[], format: MixFormat): Promise<SoundInput> {
    const resamplers = new Map<Sound, Resampler>();
    for (const { sound } of parts) {
      if (sound.rateHz === format.rateHz || resamplers.has(sound)) continue;
      resamplers.set(sound, await resamplerFor(sound, format));
    }
    return new SoundInput(parts, format, resamplers);
  }

  private constructor(
    parts: readonly Part[],
    format: MixFormat,
    resamplers: ReadonlyMap<Sound, Resampler>,
  ) {
    this.#parts = parts;
    this.#format = format;
    this.#resamplers = resamplers;
    this.#next();
  }

  get hasEnded(): boolean {
    return this.#index >= this.#parts.length;
  }

  /** Fills from the start of `target`; returns the frames given, fewer only at the end. */
  read(target: Float32Array): number {
    const { channels } = this.#format;
    const wanted = target.length / channels;
    let given = 0;
    while (given < wanted && this.#converter) {
      const frames = this.#converter.read(target.subarray(given * channels));
      given += frames;
      if (this.#converter.hasEnded) this.#next();
      else if (frames === 0) break;
    }
    return given;
  }

  close(): void {
    this.#converter = undefined;
    this.#index = this.#parts.length;
  }

  #next(): void {
    this.#index += 1;
    const part = this.#parts[this.#index];
    this.#converter =
      part && new PartConverter(part, this.#format, this.#resamplers.get(part.sound));
  }
}

/** Failure: rejects with an `AnnounceError`. */
async function resamplerFor(sound: Sound, { rateHz, channels }: MixFormat): Promise<Resampler> {
  const { lowest, highest } = resamplerRangeHz;
  for (const rate of [sound.rateHz, rateHz]) {
    if (rate >= lowest && rate <= highest) continue;
    const fault = `${sound.rateHz} Hz cannot be converted to the ${rateHz} Hz of a stream`;
    throw new AnnounceError('bad-rate', fault);
  }
  return Resampler.create({
    inputRateHz: sound.rateHz,
    outputRateHz: rateHz,
    channels: mixedChannels(sound.channels, channels),
  });
}

/** One sound in another rate and other channels. */
class PartConverter {
  readonly #sound: Sound;
  readonly #gain: number;
  readonly #channels: number;
  readonly #mixed: number;
  readonly #rates: Rates;
  readonly #resampler: Resampler | undefined;
  readonly #block: Float32Array;
  readonly #mix: Float32Array;
  /** Converted and not given yet: a part of `#mix`, or of what the resampler gave. */
  #pending: Float32Array = new Float32Array();
  #position = 0;
  #converted = 0;

  constructor({ sound, gain }: Part, { rateHz, channels }: MixFormat, resampler?: Resampler) {
    this.#sound = sound;
    this.#gain = gain;
    this.#channels = channels;
    this.#mixed = mixedChannels(sound.channels, channels);
    this.#position = sound.begin;
    this.#converted = Math.floor((sound.begin * rateHz) / sound.rateHz);
    this.#rates = { inputRateHz: sound.rateHz, outputRateHz: rateHz };
    this.#resampler = resampler;
    resampler?.reset();
    this.#block = new Float32Array(blockFrames * sound.channels);
    this.#mix = new Float32Array(blockFrames * this.#mixed);
  }

  get hasEnded(): boolean {
    return this.#pending.length === 0 && this.#sound.hasEnded && this.#left <= 0;
  }

  /** Frames that are still to be converted, as far as the sound has come. */
  get #left(): number {
    const { inputRateHz, outputRateHz } = this.#rates;
    return Math.ceil((this.#sound.frames * outputRateHz) / inputRateHz) - this.#converted;
  }

  read(target: Float32Array): number {
    const wanted = target.length / this.#channels;
    let given = 0;
    while (given < wanted && !this.hasEnded) {
      if (this.#pending.length === 0) this.#convert(wanted - given);
      const frames = Math.min(wanted - given, this.#pending.length / this.#mixed);
      this.#spread(this.#pending, frames, target.subarray(given * this.#channels));
      this.#pending = this.#pending.subarray(frames * this.#mixed);
      given += frames;
    }
    return given;
  }

  /** Goes on by one block; what the filter holds back at the end is fetched by silence. */
  #convert(wanted: number): void {
    const { inputRateHz, outputRateHz } = this.#rates;
    const needed = Math.ceil((wanted * inputRateHz) / outputRateHz);
    // A sound that is still arriving is not asked for more than is heard now.
    const asked = Math.max(1, Math.min(blockFrames, needed));
    const input = this.#block.subarray(0, asked * this.#sound.channels);
    const frames = this.#sound.read(this.#position, input);
    this.#position += frames;
    input.fill(0, frames * this.#sound.channels);
    const isRest = frames === 0;
    const mixed = this.#mixdown(input, isRest ? asked : frames);
    const output = this.#resampler ? this.#resampler.resample(mixed) : mixed;
    const room = this.#sound.hasEnded ? this.#left * this.#mixed : output.length;
    this.#pending = output.subarray(0, Math.max(0, room));
    this.#converted += this.#pending.length / this.#mixed;
  }

  /** Into as many channels as are to be converted: of surround sound the middle goes to both sides. */
  #mixdown(input: Float32Array, frames: number): Float32Array {
    const { channels } = this.#sound;
    const mixed = this.#mixed;
    const output = this.#mix.subarray(0, frames * mixed);
    for (let frame = 0; frame < frames; frame += 1) {
      const at = frame * channels;
      const left = input[at]!;
      const right = channels > 1 ? input[at + 1]! : left;
      const middle = channels > 2 ? Math.SQRT1_2 * input[at + 2]! : 0;
      if (mixed === 1) {
        output[frame] = this.#gain * (channels === 1 ? left : (left + right) / 2 + middle);
      } else {
        output[2 * frame] = this.#gain * (left + middle);
        output[2 * frame + 1] = this.#gain * (right + middle);
      }
    }
    return output;
  }

  /** To the first two channels of the stream; others stay as they are. */
  #spread(source: Float32Array, frames: number, target: Float32Array): void {
    const channels = this.#channels;
    const mixed = this.#mixed;
    for (let frame = 0; frame < frames; frame += 1) {
      const at = frame * channels;
      target[at] = source[frame * mixed]!;
      if (channels > 1) target[at + 1] = source[frame * mixed + mixed - 1]!;
      for (let channel = 2; channel < channels; channel += 1) target[at + channel] = 0;
    }
  }
}
