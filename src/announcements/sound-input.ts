import type { MixFormat, MixInput } from '../audio/mix-input.ts';
import { type Part, SoundConverter } from './sound-converter.ts';

/** Frames that are spread to the channels of a stream at a time. */
const blockFrames = 1024;
/** More than two channels are not made of a sound. */
const maxChannels = 2;

/** The sounds of an announcement one after the other, for all streams that they are mixed over. */
export class SoundInputs {
  readonly #parts: readonly Part[];
  readonly #keptMs: number;
  /** By rate and channels; streams of the same format share one. */
  readonly #converters = new Map<string, Promise<SoundConverter>>();

  /** `keptMs`: of those who read them, the last may be so much later than the first. */
  constructor(parts: readonly Part[], { keptMs }: { readonly keptMs: number }) {
    this.#parts = parts;
    this.#keptMs = keptMs;
  }

  /** Failure: rejects with an `AnnounceError` when the stream has a rate that cannot be converted to. */
  async open({ rateHz, channels }: MixFormat): Promise<SoundInput> {
    const most = Math.max(1, ...this.#parts.map(({ sound }) => sound.channels));
    const format = { rateHz, channels: Math.min(most, channels, maxChannels) };
    const key = `${format.rateHz} ${format.channels}`;
    const opening =
      this.#converters.get(key) ??
      SoundConverter.open({ parts: this.#parts, format, keptMs: this.#keptMs });
    this.#converters.set(key, opening);
    return new SoundInput(await opening, channels);
  }
}

/** What is read for one stream. */
class SoundInput implements MixInput {
  readonly #converter: SoundConverter;
  readonly #channels: number;
  /** Absent where the sound has the channels of the stream. */
  readonly #block: Float32Array | undefined;
  #frame = 0;
  #isClosed = false;

  constructor(converter: SoundConverter, channels: number) {
    this.#converter = converter;
    this.#channels = channels;
    if (converter.channels !== channels) {
      this.#block = new Float32Array(blockFrames * converter.channels);
    }
  }

  get hasEnded(): boolean {
    return this.#isClosed || this.#converter.isEnd(this.#frame);
  }

  read(target: Float32Array, neededFrames: number): number {
    const wanted = target.length / this.#channels;
    let given = 0;
    while (given < wanted && !this.hasEnded) {
      const frames = this.#readSome(target.subarray(given * this.#channels), neededFrames - given);
      this.#frame += frames;
      given += frames;
      if (frames === 0) break;
    }
    return given;
  }

  close(): void {
    this.#isClosed = true;
  }

  #readSome(target: Float32Array, neededFrames: number): number {
    const block = this.#block;
    if (!block) return this.#converter.read(this.#frame, target, neededFrames);
    const wanted = Math.min(blockFrames, target.length / this.#channels);
    const { channels } = this.#converter;
    const part = block.subarray(0, wanted * channels);
    const frames = this.#converter.read(this.#frame, part, Math.min(wanted, neededFrames));
    this.#spread(block, frames, target);
    return frames;
  }

  /** To the first two channels of the stream; in others there is silence. */
  #spread(source: Float32Array, frames: number, target: Float32Array): void {
    const channels = this.#channels;
    const mixed = this.#converter.channels;
    for (let frame = 0; frame < frames; frame += 1) {
      const at = frame * channels;
      target[at] = source[frame * mixed]!;
      if (channels > 1) target[at + 1] = source[frame * mixed + mixed - 1]!;
      for (let channel = 2; channel < channels; channel += 1) target[at + channel] = 0;
    }
  }
}
