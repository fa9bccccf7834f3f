import type { Dsp } from '../dsp/dsp.ts';
import { limiterDelayFrames, limiterField, newLimiter } from '../dsp/limiter.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { MixEnd } from './mix-input.ts';
import type { MixVoice } from './mix-voice.ts';
import type { SampleFormat } from './sample-format.ts';
import type { TimedPcm } from './stage.ts';

/** Sounds that one stream mixes at the same time; one more is refused. */
export const maxMixes = 8;
/** What the limiter leaves free while something is mixed, and which music is as good as none. */
const ceilingDb = -1;
const silentDb = -60;
/** When all is over the limiter may still be letting go of the music for so long. */
const maxLimiterTailMs = 500;
/** It has let go when less is missing than a step of 16 bits. */
const almostOne = 1 - 2 ** -16;
/** How often it is looked whether the limiter has let go. */
const tailSpanFrames = 128;

interface MixBusOptions {
  readonly pool: ChunkPool;
  readonly format: SampleFormat;
  readonly dsp: Dsp;
  /** Ownership: takes over the reference to the chunk. */
  readonly onPcm: (pcm: TimedPcm) => void;
}

/**
 * Adds sounds to the audio that is led through it, turns that down for them, and limits the sum.
 *
 * The limiter is there from the first ramp to the last one; what it holds back is cut from what comes
 * first and fetched with what follows, so samples keep their timestamps.
 */
export class MixBus {
  readonly #options: MixBusOptions;
  readonly #frameUs: number;
  readonly #dither = new Uint32Array(1);
  #voices: readonly MixVoice[] = [];
  #limiter: Float64Array | undefined;
  #floats = new Float32Array(0);
  /** Frames that are still to come out of the limiter from before what went in first. */
  #leadFrames = 0;
  /** Of them, those that were cut from what came out last. */
  #cutFrames = 0;
  /** Frames since all was over. */
  #tailFrames = 0;

  constructor(options: MixBusOptions) {
    this.#options = options;
    this.#frameUs = options.format.durationUs(1);
  }

  get hasRoom(): boolean {
    return this.#voices.length < maxMixes;
  }

  /** No sound is left, and the limiter lets the music be what it is, be it there or not. */
  get isOver(): boolean {
    if (this.#voices.length > 0) return false;
    if (!this.#limiter) return true;
    const maxTail = (this.#options.format.rateHz * maxLimiterTailMs) / 1000;
    return this.#limiter[limiterField.gain]! >= almostOne || this.#tailFrames >= maxTail;
  }

  /** Nothing is held back, either: what is led through it would stay what it is. */
  get isEmpty(): boolean {
    return this.#voices.length === 0 && !this.#limiter;
  }

  add(voice: MixVoice): void {
    this.#voices = [...this.#voices, voice];
  }

  /** Time passes without audio. */
  skip(frames: number): void {
    for (const voice of this.#voices) voice.skip(frames);
    this.#forgetOver();
  }

  /** Ownership: takes over the reference. */
  take(pcm: TimedPcm): void {
    const frames = pcm.chunk.payloadBytes / this.#options.format.frameBytes;
    if (this.#limiter || this.#voices.some(({ waitFrames }) => waitFrames < frames))
      this.#process(pcm);
    else {
      for (const voice of this.#voices) voice.skip(frames);
      this.#options.onPcm(pcm);
    }
  }

  /** What the limiter holds back is sent, with silence behind; nothing came since `endUs`. */
  drain({ endUs, stretch }: { readonly endUs: number; readonly stretch: number }): void {
    if (!this.#limiter) return;
    const frames = limiterDelayFrames(this.#limiter);
    const silence = this.#room(frames).fill(0);
    this.#limitLast(silence);
    const chunk = this.#endChunk(frames);
    this.#put(silence, chunk, 0);
    this.#sendPart({ chunk, timestampUs: endUs, stretch, startsRun: false }, 0);
    this.#endMixing();
  }

  /** Ends all sounds; what the limiter holds back is lost. */
  abandon(reason: MixEnd): void {
    this.#limiter = undefined;
    const voices = this.#voices;
    this.#voices = [];
    for (const voice of voices) voice.abandon(reason);
  }

  /** Mixes from the first ramp to the end of the last one; what is before or behind stays as it is. */
  #process(pcm: TimedPcm): void {
    const { format, dsp, pool } = this.#options;
    const chunk = pool.unshared(pcm.chunk, 'a mix');
    const { timestampUs, stretch } = pcm;
    const head = this.#limiter ? 0 : Math.min(...this.#voices.map(({ waitFrames }) => waitFrames));
    for (const voice of this.#voices) voice.skip(head);
    this.#limiter ??= this.#newLimiter();
    const delay = limiterDelayFrames(this.#limiter);
    const frames = chunk.payloadBytes / format.frameBytes - head;
    const floats = this.#room(frames);
    dsp.toFloat(chunk.payload.subarray(head * format.frameBytes), format, floats);
    const mixed = this.#mixInto(floats);
    if (frames - mixed < delay || frames === mixed) {
      dsp.limit(this.#limiter, floats.subarray(mixed * format.channels));
      this.#put(floats, chunk, head);
      this.#sendPart({ ...pcm, chunk }, head);
      return;
    }
    const out = floats.subarray(0, (mixed + delay) * format.channels);
    this.#limitLast(out.subarray(mixed * format.channels));
    const end = this.#endChunk(head + mixed + delay);
    chunk.payload.copy(end.writable, 0, 0, head * format.frameBytes);
    this.#put(out, end, head);
    this.#sendPart({ ...pcm, chunk: end }, head);
    this.#endMixing();
    const done = head + mixed;
    chunk.writable.copyWithin(0, done * format.frameBytes, chunk.payloadBytes);
    chunk.payloadBytes -= done * format.frameBytes;
    const restUs = timestampUs + done * this.#frameUs * stretch;
    this.#options.onPcm({ ...pcm, chunk, timestampUs: restUs });
  }

  #limitLast(ahead: Float32Array): void {
    this.#limiter![limiterField.ceiling] = 1;
    this.#options.dsp.limit(this.#limiter!, ahead);
  }

  #endMixing(): void {
    this.#limiter = undefined;
    this.#floats = new Float32Array(0);
    this.#tailFrames = 0;
  }

  /** Writes what has come out of the limiter behind the head of a chunk. */
  #put(limited: Float32Array, chunk: Chunk, head: number): void {
    const { format, dsp } = this.#options;
    const { channels, frameBytes, bits } = format;
    const cut = Math.min(this.#leadFrames, limited.length / channels);
    const sent = limited.subarray(cut * channels);
    chunk.payloadBytes = head * frameBytes + sent.length * format.sampleBytes;
    const target = chunk.payload.subarray(head * frameBytes);
    dsp.fromFloat(sent, target, format, bits < 32 ? this.#dither : undefined);
    this.#cutFrames = cut;
    this.#leadFrames -= cut;
  }

  /** What was captured earlier than what went in, unless it begins with what did not go in. */
  #sendPart(pcm: TimedPcm, head: number): void {
    if (pcm.chunk.payloadBytes === 0) {
      pcm.chunk.release();
      return;
    }
    const delay = limiterDelayFrames(this.#limiter!);
    const shiftFrames = head > 0 ? 0 : this.#cutFrames - delay;
    const timestampUs = pcm.timestampUs + shiftFrames * this.#frameUs * pcm.stretch;
    this.#options.onPcm({ ...pcm, timestampUs });
  }

  /**
   * Turns the music down and adds the sounds, piece by piece between their corners; returns the number
   * of frames after which all was over.
   */
  #mixInto(floats: Float32Array): number {
    const { format, dsp } = this.#options;
    const { channels } = format;
    const limiter = this.#limiter!;
    let done = 0;
    for (const all = floats.length / channels; done < all && !this.isOver; ) {
      const most = this.#voices.length > 0 ? all - done : Math.min(all - done, tailSpanFrames);
      const frames = this.#voices.reduce((least, voice) => Math.min(least, voice.spanFrames), most);
      const piece = floats.subarray(done * channels, (done + frames) * channels);
      dsp.gainRamp(piece, channels, this.#duck(0), this.#duck(frames));
      for (const voice of this.#voices) voice.addTo(piece);
      const presence = this.#voices.reduce((most, voice) => Math.max(most, voice.presence), 0);
      limiter[limiterField.ceiling] = 10 ** ((ceilingDb * presence) / 20);
      dsp.limit(limiter, piece);
      if (this.#voices.length === 0) this.#tailFrames += frames;
      this.#forgetOver();
      done += frames;
    }
    return done;
  }

  /** The gain of the music so many frames on: that of the sound for which it is lowest. */
  #duck(frames: number): number {
    let db = 0;
    for (const voice of this.#voices) db = Math.min(db, voice.duckDb * voice.presenceIn(frames));
    return db <= silentDb ? 0 : 10 ** (db / 20);
  }

  #forgetOver(): void {
    if (this.#voices.some(({ isOver }) => isOver))
      this.#voices = this.#voices.filter(({ isOver }) => !isOver);
  }

  #newLimiter(): Float64Array {
    const { rateHz, channels } = this.#options.format;
    const limiter = newLimiter(rateHz, channels);
    this.#leadFrames = limiterDelayFrames(limiter);
    this.#tailFrames = 0;
    return limiter;
  }

  #endChunk(frames: number): Chunk {
    return this.#options.pool.acquire(frames * this.#options.format.frameBytes, 'the end of a mix');
  }

  #room(frames: number): Float32Array {
    const samples = frames * this.#options.format.channels;
    if (this.#floats.length < samples) this.#floats = new Float32Array(samples);
    return this.#floats.subarray(0, samples);
  }
}
