import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { createEncoder } from './encoders/codecs.ts';
import type { Encoder } from './encoders/encoder.ts';
import type { SampleFormat } from './sample-format.ts';

/** PCM with its place in time. */
export interface TimedPcm {
  readonly chunk: Chunk;
  readonly timestampUs: number;
  /** True when the chunk does not continue the one before it. */
  readonly startsRun: boolean;
}

/** What encoding has cost so far. */
export interface EncodeFigures {
  /** Chunks that came out of the encoder. */
  readonly encodedChunks: number;
  /** Time in the encoder, microseconds; what became of its chunks is not part of it. */
  readonly encodeUs: number;
}

export const noEncodeFigures: EncodeFigures = { encodedChunks: 0, encodeUs: 0 };

/** What waits is encoded in slices of this length, so that other streams are served in between. */
const sliceMs = 5;

export interface EncodingOptions {
  readonly codec: string;
  readonly format: SampleFormat;
  /** How much of the past a listener who joins can still use. */
  readonly pastMs: number;
  readonly pool: ChunkPool;
  /** Takes each sealed chunk, in order. */
  readonly publish: (chunk: Chunk) => void;
  /** The encoder broke while it worked through what had waited. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * The way from timed PCM to sealed chunks, taken only while somebody listens.
 *
 * While nobody does, the last `pastMs` of PCM wait unencoded, so that the first listener starts
 * as quickly as any other.
 */
export class Encoding {
  readonly #encoder: Encoder;
  readonly #options: EncodingOptions;
  readonly #figures = { ...noEncodeFigures };
  #waiting: TimedPcm[] = [];
  #isActive = false;
  #nextSlice: NodeJS.Immediate | undefined;
  /** The run is over, but its last frames could not be flushed yet. */
  #owesFlush = false;
  #originUs = 0;
  #frames = 0;

  static async open(options: EncodingOptions): Promise<Encoding> {
    const { codec, format, pool } = options;
    // The encoder only emits while it is given audio, which is after the constructor has run.
    let seal: (chunk: Chunk, frames: number) => void = (chunk) => chunk.release();
    const emit = (chunk: Chunk, frames: number) => seal(chunk, frames);
    const encoding = new Encoding(await createEncoder(codec, { format, pool, emit }), options);
    seal = (chunk, frames) => encoding.#seal(chunk, frames);
    return encoding;
  }

  private constructor(encoder: Encoder, options: EncodingOptions) {
    this.#encoder = encoder;
    this.#options = options;
  }

  get header(): Uint8Array {
    return this.#encoder.header;
  }

  /** Counts on while there is audio. */
  get figures(): EncodeFigures {
    return this.#figures;
  }

  /** Chunks that wait to be encoded. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Failure: throws a `SourceError` when the encoder breaks. */
  activate(): void {
    this.#isActive = true;
    this.#encodeSlice();
  }

  deactivate(): void {
    this.#isActive = false;
    clearImmediate(this.#nextSlice);
  }

  /**
   * Ownership: takes over the caller's reference to the chunk.
   * Failure: throws a `SourceError` when the encoder breaks.
   */
  take(pcm: TimedPcm): void {
    this.#owesFlush = false;
    if (!this.#isActive) this.#keep(pcm);
    else if (this.#waiting.length > 0) this.#waiting.push(pcm);
    else this.#encode(pcm);
  }

  /** The run of audio is over: its last frames shall not wait for a full block. */
  flush(): void {
    this.#owesFlush = !this.#isActive || this.#waiting.length > 0;
    if (!this.#owesFlush) this.#timed(() => this.#encoder.flush());
  }

  /** Forgets PCM that nobody will want any more. */
  clear(): void {
    for (const { chunk } of this.#waiting) chunk.release();
    this.#waiting = [];
  }

  close(): void {
    this.deactivate();
    this.clear();
    this.#encoder.close();
  }

  #keep(pcm: TimedPcm): void {
    this.#waiting.push(pcm);
    const oldestUs = pcm.timestampUs - this.#options.pastMs * 1000;
    let dropped = 0;
    while ((this.#waiting[dropped]?.timestampUs ?? oldestUs) < oldestUs) {
      this.#waiting[dropped]?.chunk.release();
      dropped += 1;
    }
    if (dropped === 0) return;
    this.#waiting.splice(0, dropped);
    const first = this.#waiting[0];
    if (first) this.#waiting[0] = { ...first, startsRun: true };
  }

  #encodeSlice(): void {
    const endMs = performance.now() + sliceMs;
    // Taken out one by one, so that an encoder that breaks leaves the rest where `clear` finds it.
    while (performance.now() < endMs) {
      const pcm = this.#waiting.shift();
      if (!pcm) break;
      this.#encode(pcm);
    }
    if (this.#waiting.length > 0) this.#nextSlice = setImmediate(() => this.#encodeNextSlice());
    else if (this.#owesFlush) this.flush();
  }

  #encodeNextSlice(): void {
    try {
      this.#encodeSlice();
    } catch (error) {
      this.#options.onFailure(error);
    }
  }

  #encode(pcm: TimedPcm): void {
    if (pcm.startsRun) {
      this.#timed(() => this.#encoder.flush());
      this.#originUs = pcm.timestampUs;
      this.#frames = 0;
    }
    this.#timed(() => this.#encoder.encode(pcm.chunk));
  }

  #timed(step: () => void): void {
    const startMs = performance.now();
    try {
      step();
    } finally {
      this.#figures.encodeUs += (performance.now() - startMs) * 1000;
    }
  }

  #seal(chunk: Chunk, frames: number): void {
    const { format, delayFrames } = this.#encoder;
    chunk.seal({
      timestampUs: this.#originUs + format.durationUs(this.#frames - delayFrames),
      durationUs: format.durationUs(frames),
    });
    this.#frames += frames;
    this.#figures.encodedChunks += 1;
    const startMs = performance.now();
    this.#options.publish(chunk);
    // The encoder waits here for its chunk to be sent, which is no work of its own.
    this.#figures.encodeUs -= (performance.now() - startMs) * 1000;
  }
}
