import { SourceError } from '../base/errors.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { EncodeTurn, EncodeTurns } from './encode-turns.ts';
import { type ChunkTiming, chunkTiming } from './encoders/chunk-timing.ts';
import { createEncoder } from './encoders/codecs.ts';
import type { Emit, EncodedElsewhere, Encoder } from './encoders/encoder.ts';
import { RunTime } from './run-time.ts';
import type { SampleFormat } from './sample-format.ts';
import type { TimedPcm } from './stage.ts';

/** What encoding has cost so far. */
export interface EncodeFigures {
  /** Chunks that came out of the encoder. */
  readonly encodedChunks: number;
  /** Time in the encoder, microseconds; what became of its chunks is not part of it. */
  readonly encodeUs: number;
  /** Chunks of PCM that were dropped because encoding was too slow while a client listened. */
  readonly droppedChunks: number;
}

export const noEncodeFigures: EncodeFigures = { encodedChunks: 0, encodeUs: 0, droppedChunks: 0 };

/** An encoder that is slower than real time and has had to drop this much will never keep up. */
const maxDroppedUs = 1_000_000;
/** One that is fast enough lacks the processor, which others may need just for the moment. */
const maxDroppedWhenFastUs = 10_000_000;

/** Units: frames of PCM. */
interface EncodingGrid {
  /** From the beginning of a run chunks begin at multiples of this; 0: where those of PCM do. */
  readonly blockFrames: number;
  /** See `Encoder.memoryFrames`. */
  readonly memoryFrames: number;
  /** By which chunks are stamped earlier than the PCM of which they are made. */
  readonly delayUs: number;
}

interface EncodingOptions {
  readonly codec: string;
  readonly format: SampleFormat;
  /** How much of the past a client that joins can still use. */
  readonly pastMs: number;
  /** What is older than this no client can play any more. */
  readonly bufferMs: number;
  readonly pool: ChunkPool;
  /** What the encoders of all streams share. */
  readonly turns: EncodeTurns;
  /** Takes each sealed chunk, in order. */
  readonly publish: (chunk: Chunk) => void;
  /** The encoder has broken, or cannot keep up; nothing more is encoded. */
  readonly onFailure: (error: unknown) => void;
}

interface Overload {
  readonly droppedUs: number;
  /** What encoding has cost meanwhile, and for how much audio. */
  readonly encodeUs: number;
  readonly audioFrames: number;
}

const noOverload: Overload = { droppedUs: 0, encodeUs: 0, audioFrames: 0 };

/** What is being encoded, and how far. */
interface Current {
  readonly pcm: TimedPcm;
  readonly startFrame: number;
}

/**
 * The way from timed PCM to sealed chunks, taken only while a client listens.
 *
 * PCM waits for its turn among all streams, at most the last `bufferMs` of it. While no client listens
 * the last `pastMs` wait unencoded, so that the first listener starts as quickly as any other.
 */
export class Encoding {
  readonly #encoder: Encoder;
  readonly #options: EncodingOptions;
  readonly #turn: EncodeTurn;
  readonly #figures = { ...noEncodeFigures };
  #waiting: TimedPcm[] = [];
  #current: Current | undefined;
  /** Another thread encodes, and nothing may be asked of the encoder before it has answered. */
  #isElsewhere = false;
  #isActive = false;
  /** Since what waited was last worked through. */
  #overload = noOverload;
  /** The run is over, but its last frames could not be flushed yet. */
  #owesFlush = false;
  /** What the encoder holds back is as old as what was dropped behind it, and as unwanted. */
  #isTailOld = false;
  #runTime = new RunTime();
  /** Of the run, before and behind the encoder. */
  #inputFrames = 0;
  #frames = 0;

  static async open(options: EncodingOptions): Promise<Encoding> {
    const { codec, format, pool } = options;
    return new Encoding(await createEncoder(codec, { format, pool }), options);
  }

  private constructor(encoder: Encoder, options: EncodingOptions) {
    this.#encoder = encoder;
    this.#options = options;
    this.#turn = options.turns.join(() => this.#step());
  }

  get header(): Uint8Array {
    return this.#encoder.header;
  }

  /** How long it takes until a chunk is there, when PCM comes `chunkMs` at a time. */
  timing(chunkMs: number): ChunkTiming {
    return chunkTiming(this.#encoder, { format: this.#options.format, chunkMs });
  }

  /** By how much a run that was flushed may last longer than its PCM. */
  get maxPaddingUs(): number {
    return this.#encoder.format.durationUs(this.#encoder.maxPaddingFrames);
  }

  /** Frames of PCM of its run that come before what is taken next, unless that starts a run. */
  get nextFrame(): number {
    let frames = this.#inputFrames;
    for (const { chunk, startsRun } of this.#waiting) {
      if (startsRun) frames = 0;
      frames += framesOf(chunk, this.#options.format);
    }
    return frames;
  }

  /** The run that begins next goes on behind `frames` of a run of another encoding, whole blocks. */
  continueBehind(frames: number): void {
    const { blockFrames } = this.grid;
    if (blockFrames > 0) this.#encoder.continueBehind?.(frames / blockFrames);
  }

  /** How its chunks lie in its PCM. */
  get grid(): EncodingGrid {
    const { format, blockFrames, memoryFrames, delayFrames } = this.#encoder;
    const { rateHz } = this.#options.format;
    const inPcm = (frames: number) => (frames * rateHz) / format.rateHz;
    return {
      blockFrames: wholeMultiple(inPcm(blockFrames)),
      memoryFrames: Math.ceil(inPcm(memoryFrames)),
      delayUs: format.durationUs(delayFrames),
    };
  }

  /** Counts on while there is audio. */
  get figures(): EncodeFigures {
    return this.#figures;
  }

  /** Chunks that wait to be encoded, or are not yet encoded to their end. */
  get waiting(): number {
    return this.#waiting.length + (this.#current || this.#isElsewhere ? 1 : 0);
  }

  /** Whether a client listens and not all is encoded yet. */
  get isBusy(): boolean {
    return this.#isActive && (this.waiting > 0 || this.#owesFlush);
  }

  activate(): void {
    this.#isActive = true;
    this.#turn.request();
  }

  deactivate(): void {
    this.#isActive = false;
    this.#overload = noOverload;
    this.#turn.cancel();
  }

  /** Ownership: takes over the caller's reference to the chunk. */
  take(pcm: TimedPcm): void {
    this.#owesFlush = false;
    this.#waiting.push(pcm);
    this.#bound();
    if (this.#isActive) this.#turn.request();
  }

  /** The run of audio is over: its last frames shall not wait for a full block. */
  flush(): void {
    this.#owesFlush = true;
    if (this.#isActive) this.#turn.request();
  }

  /** Forgets PCM that no client will want any more. */
  clear(): void {
    for (const { chunk } of this.#waiting) chunk.release();
    this.#waiting = [];
    this.#current?.pcm.chunk.release();
    this.#current = undefined;
    this.#isTailOld = true;
  }

  close(): void {
    this.deactivate();
    this.clear();
    this.#encoder.close();
  }

  /** Drops what has waited for so long that no client can play it any more. */
  #bound(): void {
    const newest = this.#waiting.at(-1)!;
    const { pastMs, bufferMs } = this.#options;
    const isWithin = (pcm: TimedPcm, ms: number) =>
      pcm === newest || pcm.timestampUs >= newest.timestampUs - ms * 1000;
    // One longer gap instead of many short ones for those that listen.
    if (isWithin(this.#waiting[0]!, this.#isActive ? bufferMs : pastMs)) return;
    const kept = this.#waiting.findIndex((pcm) => isWithin(pcm, pastMs));
    const dropped = this.#waiting.splice(0, kept);
    if (this.#isActive) this.#noteDropped(dropped);
    else this.#isTailOld = true;
    for (const { chunk } of dropped) chunk.release();
    this.#waiting[0] = { ...this.#waiting[0]!, startsRun: true };
  }

  #noteDropped(dropped: readonly TimedPcm[]): void {
    const { format } = this.#options;
    this.#figures.droppedChunks += dropped.length;
    const frames = dropped.reduce((sum, { chunk }) => sum + framesOf(chunk, format), 0);
    const { droppedUs } = this.#overload;
    this.#overload = { ...this.#overload, droppedUs: droppedUs + format.durationUs(frames) };
  }

  /** Encodes a part of a chunk; false when there is nothing more to do. */
  #step(): boolean {
    try {
      return !this.#isElsewhere && this.#encodeSome();
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #fail(error: unknown): void {
    this.deactivate();
    this.#options.onFailure(error);
  }

  #encodeSome(): boolean {
    this.#demandPace();
    this.#current ??= this.#begin();
    if (this.#current) this.#encode(this.#current);
    if (this.#isElsewhere) return false;
    if (this.#current || this.#waiting.length > 0) return this.#isActive;
    this.#overload = noOverload;
    const owesFlush = this.#owesFlush;
    this.#owesFlush = false;
    if (owesFlush && !this.#flush()) return false;
    this.#isTailOld = false;
    return false;
  }

  /** False when another thread does it: then it is to be called again. */
  #flush(): boolean {
    const work = this.#timed(() => this.#encoder.flush(this.#seal));
    if (work) this.#goOnAfter(work, 0);
    return work === undefined;
  }

  #goOnAfter(work: EncodedElsewhere, frames: number): void {
    const startCpuUs = cpuUs();
    this.#isElsewhere = true;
    work.then(
      (tookUs) => {
        this.#isElsewhere = false;
        this.#figures.encodeUs += tookUs;
        this.#noteCost(Math.min(tookUs, cpuUs() - startCpuUs), frames);
        if (this.#isActive) this.#turn.request();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #begin(): Current | undefined {
    const [pcm] = this.#waiting;
    if (!pcm || (pcm.startsRun && !this.#flush())) return undefined;
    this.#waiting.shift();
    if (pcm.startsRun) {
      this.#runTime = new RunTime();
      this.#inputFrames = 0;
      this.#frames = 0;
    }
    this.#isTailOld = false;
    const { format } = this.#options;
    this.#runTime.add(format.durationUs(this.#inputFrames), pcm);
    this.#inputFrames += framesOf(pcm.chunk, format);
    return { pcm, startFrame: 0 };
  }

  #encode({ pcm, startFrame }: Current): void {
    const frames = framesOf(pcm.chunk, this.#options.format);
    const startUs = this.#figures.encodeUs;
    // Only who is behind is judged by it, and it costs as much as a chunk of pcm.
    const isBehind = this.#waiting.length > 0;
    const startCpuUs = isBehind ? cpuUs() : 0;
    // The encoder gives the chunk back, also when it breaks.
    this.#current = undefined;
    const next = this.#timed(() => this.#encoder.encode(pcm.chunk, startFrame, this.#seal));
    if (next instanceof Promise) {
      this.#goOnAfter(next, frames - startFrame);
      return;
    }
    if (next !== undefined) this.#current = { pcm, startFrame: next };
    // On a busy machine time passes in which the encoder does nothing.
    const tookUs = this.#figures.encodeUs - startUs;
    const usedUs = isBehind ? Math.min(tookUs, cpuUs() - startCpuUs) : tookUs;
    this.#noteCost(usedUs, (next ?? frames) - startFrame);
  }

  #noteCost(usedUs: number, frames: number): void {
    const { droppedUs, encodeUs, audioFrames } = this.#overload;
    this.#overload = {
      droppedUs,
      encodeUs: encodeUs + usedUs,
      audioFrames: audioFrames + frames,
    };
  }

  /** Failure: throws when what was dropped without catching up in between is too much. */
  #demandPace(): void {
    const { codec, format } = this.#options;
    const { encodeUs, audioFrames, droppedUs } = this.#overload;
    if (droppedUs < maxDroppedUs) return;
    const audioUs = format.durationUs(Math.max(1, audioFrames));
    if (encodeUs < audioUs && droppedUs < maxDroppedWhenFastUs) return;
    throw new SourceError(
      'encoder-too-slow',
      `the encoder cannot keep up with real time: ${codec} of ${format} takes ` +
        `${Math.round((100 * encodeUs) / audioUs)} % of the time that the audio lasts, and ` +
        `${Math.round(droppedUs / 1000)} ms had to be dropped: use a lower flac level, a lower ` +
        'rate, fewer channels, or codec pcm',
    );
  }

  #timed<T>(step: () => T): T {
    const startMs = performance.now();
    try {
      return step();
    } finally {
      this.#figures.encodeUs += (performance.now() - startMs) * 1000;
    }
  }

  /** What another stream has sealed, with the same time, serves here as well. */
  #sealedAt(chunk: Chunk, timestampUs: number, durationUs: number): Chunk {
    const isSame = chunk.isSealed && Math.abs(chunk.timestampUs - timestampUs) < sameTimeUs;
    if (isSame) return chunk;
    const own = chunk.isSealed ? this.#options.pool.unshared(chunk, 'an encoding') : chunk;
    own.seal({ timestampUs, durationUs });
    return own;
  }

  readonly #seal: Emit = (chunk, frames) => {
    if (this.#isTailOld) {
      chunk.release();
      return;
    }
    const { format, delayFrames } = this.#encoder;
    const timestampUs = this.#runTime.at(format.durationUs(this.#frames - delayFrames));
    const sealed = this.#sealedAt(chunk, timestampUs, format.durationUs(frames));
    this.#frames += frames;
    this.#figures.encodedChunks += 1;
    const startMs = performance.now();
    this.#options.publish(sealed);
    // The encoder waits here for its chunk to be sent, which is no work of its own.
    this.#figures.encodeUs -= (performance.now() - startMs) * 1000;
  };
}

/** What calculating leaves between the times of one chunk in two streams. */
const sameTimeUs = 1;

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Of the length of a block, which may have a broken number of frames at the rate of the PCM. */
function wholeMultiple(frames: number): number {
  let multiple = frames;
  while (!Number.isInteger(multiple)) multiple = round(multiple + frames);
  return multiple;
}

/** Without what calculating leaves. */
function round(frames: number): number {
  const whole = Math.round(frames);
  return Math.abs(frames - whole) < 1e-6 ? whole : frames;
}

function framesOf(chunk: Chunk, format: SampleFormat): number {
  return chunk.payloadBytes / format.frameBytes;
}
