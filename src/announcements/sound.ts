import { assert } from '../base/errors.ts';

/** Less of a sound that is still arriving says little of how loud the rest is. */
const minMeasuredMs = 300;

interface SoundShape {
  readonly rateHz: number;
  readonly channels: number;
  /** Of a live sound: what is older than this when more comes is forgotten. */
  readonly keptMs?: number;
}

/**
 * Decoded audio, which may still be arriving while it is played.
 *
 * All who play it hear the same: silence that bridges a stall becomes a part of it.
 *
 * Shape: interleaved samples, full scale 1.
 */
export class Sound implements SoundShape {
  readonly rateHz: number;
  readonly channels: number;
  readonly #blocks: Float32Array[] = [];
  /** Of each block, the frame it begins with. */
  readonly #starts: number[] = [];
  #frames = 0;
  #hasEnded = false;
  #stalledFrames = 0;
  readonly #keptFrames: number;
  /** Those who wait until it lasts so many frames. */
  #waiting: { readonly frames: number; readonly resolve: () => void }[] = [];

  constructor({ rateHz, channels, keptMs = Number.POSITIVE_INFINITY }: SoundShape) {
    this.#keptFrames = (keptMs * rateHz) / 1000;
    this.rateHz = rateHz;
    this.channels = channels;
  }

  /** A sound that is all there. Ownership: `samples` is only read. */
  static of(shape: SoundShape & { readonly samples: Float32Array }): Sound {
    const sound = new Sound(shape);
    sound.push(shape.samples);
    sound.end();
    return sound;
  }

  /** The first frame that is there. */
  get begin(): number {
    return this.#starts[0] ?? this.#frames;
  }

  /** What has come so far, also what is forgotten. */
  get frames(): number {
    return this.#frames;
  }

  /** What has come of it tells how loud it is: more than a moment, or all. */
  get isMeasurable(): boolean {
    return this.#hasEnded || this.durationMs >= minMeasuredMs;
  }

  get bytes(): number {
    return (this.#frames - this.begin) * this.channels * Float32Array.BYTES_PER_ELEMENT;
  }

  get durationMs(): number {
    return (this.#frames * 1000) / this.rateHz;
  }

  /** Nothing more will come. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Silence that had to be put in, as the rest was late. */
  get stalledMs(): number {
    return (this.#stalledFrames * 1000) / this.rateHz;
  }

  /** Whole frames. Ownership: the sound keeps them. */
  push(samples: Float32Array): void {
    assert(samples.length % this.channels === 0, 'a sound is made of whole frames');
    if (samples.length === 0 || this.#hasEnded) return;
    this.#starts.push(this.#frames);
    this.#blocks.push(samples);
    this.#frames += samples.length / this.channels;
    while ((this.#starts[1] ?? this.#frames) <= this.#frames - this.#keptFrames) {
      this.#starts.shift();
      this.#blocks.shift();
    }
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Resolves when so much has come, or all. */
  lasts(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ frames: (ms * this.rateHz) / 1000, resolve });
      this.#wake();
    });
  }

  /** Copies from `frame` on, silence where it is late; returns the frames given, fewer only at its end. */
  read(frame: number, target: Float32Array): number {
    const wanted = target.length / this.channels;
    const missing = frame + wanted - this.#frames;
    if (missing > 0 && !this.#hasEnded) {
      this.#stalledFrames += missing;
      this.push(new Float32Array(missing * this.channels));
    }
    // What is forgotten is silence, too.
    let given = Math.max(0, Math.min(wanted, this.begin - frame));
    target.fill(0, 0, given * this.channels);
    let index = this.#blockAt(frame + given);
    while (given < wanted && index < this.#blocks.length) {
      const block = this.#blocks[index]!;
      const offset = (frame + given - this.#starts[index]!) * this.channels;
      const part = block.subarray(offset, offset + (wanted - given) * this.channels);
      target.set(part, given * this.channels);
      given += part.length / this.channels;
      index += 1;
    }
    return given;
  }

  #wake(): void {
    const isDone = (frames: number) => this.#hasEnded || frames <= this.#frames;
    const done = this.#waiting.filter(({ frames }) => isDone(frames));
    if (done.length === 0) return;
    this.#waiting = this.#waiting.filter(({ frames }) => !isDone(frames));
    for (const { resolve } of done) resolve();
  }

  /** The block that holds a frame; behind the last one when none does. */
  #blockAt(frame: number): number {
    if (frame >= this.#frames) return this.#blocks.length;
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle]! <= frame) low = middle;
      else high = middle;
    }
    return low;
  }
}
