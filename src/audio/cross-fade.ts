import type { Dsp } from '../dsp/dsp.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { SampleFormat } from './sample-format.ts';
import type { TimedPcm } from './stage.ts';

interface CrossFadeOptions {
  readonly pool: ChunkPool;
  readonly format: SampleFormat;
  readonly dsp: Dsp;
  /** Before it, what goes is heard alone. */
  readonly leadFrames: number;
  readonly frames: number;
  /** The audio that goes is waited for no longer than this. */
  readonly waitMs: number;
  /** Ownership: takes over the reference to the chunk. */
  readonly onPcm: (pcm: TimedPcm) => void;
}

/**
 * From one piece of audio to another one, of one format, on one time base: the one falls and the other
 * rises in a straight line, so that both together are never louder than the louder one.
 */
export class CrossFade {
  readonly #options: CrossFadeOptions;
  readonly #frameUs: number;
  /** In order of time, not mixed yet. */
  readonly #going: TimedPcm[] = [];
  readonly #coming: TimedPcm[] = [];
  /** Until what goes is heard no more. */
  readonly #all: number;
  /** Of these, frames that are mixed. */
  #done = 0;
  #hasGone: boolean;
  #waitTimer: NodeJS.Timeout | undefined;

  /** `hasGone`: there is nothing that goes, only what comes. */
  constructor(options: CrossFadeOptions, { hasGone }: { readonly hasGone: boolean }) {
    this.#options = options;
    this.#frameUs = options.format.durationUs(1);
    this.#all = options.leadFrames + options.frames;
    this.#hasGone = hasGone;
  }

  get isOver(): boolean {
    return this.#done >= this.#all && this.#coming.length === 0;
  }

  /** Ownership: takes over the reference to the chunk. */
  takeGoing(pcm: TimedPcm): void {
    if (this.#hasGone || this.#done >= this.#all) pcm.chunk.release();
    else {
      this.#going.push(pcm);
      this.#pass();
    }
  }

  /** Without a gap. Ownership: as `takeGoing`. */
  takeComing(pcm: TimedPcm): void {
    this.#coming.push(pcm);
    this.#pass();
  }

  /** Nothing follows of what goes. */
  endGoing(): void {
    this.#hasGone = true;
    this.#pass();
  }

  /** Hands on what is there, and forgets the rest. */
  close(): void {
    this.endGoing();
    this.#done = this.#all;
    for (const { chunk } of this.#going.splice(0)) chunk.release();
  }

  #pass(): void {
    clearTimeout(this.#waitTimer);
    this.#waitTimer = undefined;
    while (this.#coming.length > 0) {
      const pcm = this.#coming[0]!;
      if (!this.#isCovered(pcm)) {
        this.#waitTimer = setTimeout(() => this.endGoing(), this.#options.waitMs);
        return;
      }
      this.#coming.shift();
      this.#options.onPcm(this.#done < this.#all ? this.#fade(pcm) : pcm);
    }
  }

  /** All that goes is there as long as this piece of the fade lasts. */
  #isCovered(pcm: TimedPcm): boolean {
    const frames = Math.min(this.#all - this.#done, this.#framesOf(pcm));
    if (this.#hasGone || frames <= 0) return true;
    const last = this.#going.at(-1);
    if (!last) return false;
    const lastEndUs = this.#timeOf(last, this.#framesOf(last));
    return lastEndUs >= this.#timeOf(pcm, frames) - this.#frameUs;
  }

  #fade(pcm: TimedPcm): TimedPcm {
    const { pool, format, dsp } = this.#options;
    const { channels } = format;
    const chunk = pool.unshared(pcm.chunk, 'a fade');
    const frames = Math.min(this.#all - this.#done, this.#framesOf(pcm));
    const mixed = new Float32Array(frames * channels);
    const faded = chunk.payload.subarray(0, frames * format.frameBytes);
    dsp.toFloat(faded, format, mixed);
    this.#scale(mixed, { at: 0, rises: true });
    for (const going of this.#going) this.#add(going, pcm, mixed);
    dsp.fromFloat(mixed, faded, format);
    this.#done += frames;
    this.#forgetBefore(this.#timeOf(pcm, frames));
    return { ...pcm, chunk };
  }

  /** Adds what lies within the fade of what goes. */
  #add(going: TimedPcm, pcm: TimedPcm, mixed: Float32Array): void {
    const { format, dsp } = this.#options;
    const { channels, frameBytes } = format;
    const frames = mixed.length / channels;
    const offset = Math.round(
      (going.timestampUs - pcm.timestampUs) / (this.#frameUs * pcm.stretch),
    );
    const from = Math.max(0, -offset);
    const to = Math.min(this.#framesOf(going), frames - offset);
    if (from >= to) return;
    const floats = new Float32Array((to - from) * channels);
    dsp.toFloat(going.chunk.payload.subarray(from * frameBytes, to * frameBytes), format, floats);
    const at = offset + from;
    this.#scale(floats, { at, rises: false });
    dsp.mix(mixed.subarray(at * channels, (at + to - from) * channels), floats, 1);
  }

  #scale(floats: Float32Array, { at, rises }: { readonly at: number; readonly rises: boolean }) {
    const { format, leadFrames, frames } = this.#options;
    const { channels } = format;
    for (let index = 0; index < floats.length; index += 1) {
      const frame = this.#done + at + Math.floor(index / channels) - leadFrames;
      const share = frame < 0 ? 0 : Math.min(1, frame / Math.max(1, frames));
      floats[index]! *= rises ? share : 1 - share;
    }
  }

  #forgetBefore(us: number): void {
    const isOver = this.#done >= this.#all;
    while (this.#going.length > 0) {
      const [first] = this.#going;
      if (!isOver && this.#timeOf(first!, this.#framesOf(first!)) > us) return;
      this.#going.shift();
      first!.chunk.release();
    }
  }

  #framesOf({ chunk }: TimedPcm): number {
    return chunk.payloadBytes / this.#options.format.frameBytes;
  }

  #timeOf({ timestampUs, stretch }: TimedPcm, frames: number): number {
    return timestampUs + frames * this.#frameUs * stretch;
  }
}
