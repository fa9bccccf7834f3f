import { Resampler, resamplerRangeHz } from '../audio/encoders/resampler.ts';
import type { MixFormat } from '../audio/mix-input.ts';
import { inSlices } from '../base/time/in-slices.ts';
import { AnnounceError } from './announce-error.ts';
import { Sound } from './sound.ts';

/** What is converted at a time: it takes a fraction of a millisecond. */
const blockMs = 20;
const maxBlockFrames = 1024;
/** So much is converted before it is wanted. */
const aheadMs = 500;

/** One of the sounds of an announcement, and how loud it is to be. */
export interface Part {
  readonly sound: Sound;
  readonly gain: number;
}

interface SoundConverterOptions {
  readonly parts: readonly Part[];
  /** One or two channels. */
  readonly format: MixFormat;
  /** What of it is older than this when more is read is forgotten. */
  readonly keptMs: number;
}

/**
 * The sounds of an announcement one after the other in another rate and other channels, converted
 * once for all who read them.
 *
 * That is done in slices, a little before it is wanted, so that it does not keep the event loop when it
 * is; only a reader that is ahead of that makes it wait.
 */
export class SoundConverter {
  readonly #parts: readonly PartConverter[];
  readonly #output: Sound;
  readonly #blockFrames: number;
  readonly #aheadFrames: number;
  #index = 0;
  #isRefilling = false;

  /** Failure: rejects with an `AnnounceError` when a sound cannot be converted to this rate. */
  static async open(options: SoundConverterOptions): Promise<SoundConverter> {
    const resamplers = new Map<Sound, Resampler>();
    for (const { sound } of options.parts) {
      if (sound.rateHz === options.format.rateHz || resamplers.has(sound)) continue;
      resamplers.set(sound, await resamplerFor(sound, options.format));
    }
    const converter = new SoundConverter(options, resamplers);
    await converter.#refill(0);
    return converter;
  }

  private constructor(
    { parts, format, keptMs }: SoundConverterOptions,
    resamplers: ReadonlyMap<Sound, Resampler>,
  ) {
    this.#parts = parts.map((part) => new PartConverter(part, format, resamplers.get(part.sound)));
    this.#output = new Sound({ ...format, keptMs: keptMs + aheadMs });
    this.#blockFrames = Math.ceil((format.rateHz * blockMs) / 1000);
    this.#aheadFrames = (format.rateHz * aheadMs) / 1000;
  }

  get channels(): number {
    return this.#output.channels;
  }

  /** Whether there is nothing from this frame on. */
  isEnd(frame: number): boolean {
    const last = this.#parts.length - 1;
    const hasEnded = this.#index > last || (this.#index === last && this.#parts[last]!.hasEnded);
    return hasEnded && frame >= this.#output.frames;
  }

  /** Copies from `frame` on; returns the frames given, fewer than needed only at the end. */
  read(frame: number, target: Float32Array, neededFrames: number): number {
    const end = frame + target.length / this.channels;
    while (this.#output.frames < end && !this.isEnd(this.#output.frames)) {
      const missing = frame + neededFrames - this.#output.frames;
      // What is only read ahead must not be asked of a sound that is still arriving.
      if (missing <= 0 && !this.#current?.hasBlock) break;
      this.#convert(missing);
    }
    const frames = Math.min(end, this.#output.frames) - frame;
    if (frames <= 0) return 0;
    this.#output.read(frame, target.subarray(0, frames * this.channels));
    if (this.#output.frames - end < this.#aheadFrames / 2) void this.#refill(end);
    return frames;
  }

  /** Converts what is there of what is wanted soon. */
  async #refill(frame: number): Promise<void> {
    if (this.#isRefilling) return;
    this.#isRefilling = true;
    const wanted = frame + this.#aheadFrames - this.#output.frames;
    await inSlices(Math.ceil(wanted / this.#blockFrames), () => {
      if (this.#current?.hasBlock) this.#convert(this.#blockFrames);
    });
    this.#isRefilling = false;
  }

  /** The one that is converted now. */
  get #current(): PartConverter | undefined {
    while (this.#parts[this.#index]?.hasEnded) this.#index += 1;
    return this.#parts[this.#index];
  }

  #convert(wanted: number): void {
    const converted = this.#current?.convert(wanted);
    if (converted) this.#output.push(converted);
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
    channels: Math.min(sound.channels, channels),
    // Of many at one time, and mostly of speech.
    filter: 'short',
  });
}

/** One sound in another rate and other channels, from its beginning to its end. */
class PartConverter {
  readonly #sound: Sound;
  readonly #gain: number;
  readonly #format: MixFormat;
  /** Speech in one channel is converted once, however many channels it is heard from. */
  readonly #mixed: number;
  readonly #resampler: Resampler | undefined;
  readonly #blockFrames: number;
  /** Frames of the sound that were taken; `undefined` before it begins. */
  #position: number | undefined;
  #converted = 0;

  constructor({ sound, gain }: Part, format: MixFormat, resampler?: Resampler) {
    this.#sound = sound;
    this.#gain = gain;
    this.#format = format;
    this.#mixed = Math.min(sound.channels, format.channels);
    this.#resampler = resampler;
    this.#blockFrames = Math.min(maxBlockFrames, Math.ceil((sound.rateHz * blockMs) / 1000));
  }

  get hasEnded(): boolean {
    return this.#sound.hasEnded && this.#left <= 0;
  }

  /** Some of it can be converted that is there. */
  get hasBlock(): boolean {
    const { hasEnded, frames, begin } = this.#sound;
    return hasEnded || frames - (this.#position ?? begin) >= this.#blockFrames;
  }

  /** Frames that are still to be converted, as far as the sound has come. */
  get #left(): number {
    const { rateHz, frames } = this.#sound;
    return Math.ceil((frames * this.#format.rateHz) / rateHz) - this.#converted;
  }

  /** Goes on by one block; what the filter holds back at the end is fetched by silence. */
  convert(wanted: number): Float32Array {
    const sound = this.#sound;
    const { rateHz } = this.#format;
    const position = this.#position ?? this.#begin();
    // A sound that is still arriving is not asked for more than is heard now.
    const needed = Math.max(1, Math.ceil((wanted * sound.rateHz) / rateHz));
    const asked = this.hasBlock ? this.#blockFrames : Math.min(this.#blockFrames, needed);
    const input = new Float32Array(asked * sound.channels);
    const frames = sound.read(position, input);
    this.#position = position + frames;
    const isRest = frames === 0;
    const mixed = this.#mixdown(input, isRest ? asked : frames);
    const output = this.#resampler ? this.#resampler.resample(mixed) : mixed;
    const length = output.length / this.#mixed;
    const given = sound.hasEnded ? Math.max(0, Math.min(this.#left, length)) : length;
    this.#converted += given;
    return this.#spread(output, given);
  }

  #begin(): number {
    const { begin, rateHz } = this.#sound;
    // The same sound may come again.
    this.#resampler?.reset();
    this.#converted = Math.floor((begin * this.#format.rateHz) / rateHz);
    return begin;
  }

  /** Into as many channels as are to be converted: of surround sound the middle goes to both sides. */
  #mixdown(input: Float32Array, frames: number): Float32Array {
    const { channels } = this.#sound;
    const mixed = this.#mixed;
    const output = new Float32Array(frames * mixed);
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

  /** Ownership: memory of its own. */
  #spread(source: Float32Array, frames: number): Float32Array {
    if (this.#mixed === this.#format.channels) return source.slice(0, frames * this.#mixed);
    const target = new Float32Array(2 * frames);
    for (let frame = 0; frame < frames; frame += 1) {
      target[2 * frame] = source[frame]!;
      target[2 * frame + 1] = source[frame]!;
    }
    return target;
  }
}
