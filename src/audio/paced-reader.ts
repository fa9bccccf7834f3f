import type { Clock } from '../base/clock.ts';
import type { SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import { ArrivalJudge, leastWaitUs } from './arrival-judge.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { expandPacked24, packedTail, signExtend24 } from './int24.ts';
import { Pacer } from './pacer.ts';
import { lookMs, ReadWatch } from './read-watch.ts';
import type { StreamSource } from './sources/stream-source.ts';
import type { StageChain } from './stage-chain.ts';
import type { StreamOptions } from './stream-options.ts';
import type { StreamProperties } from './stream-properties.ts';

export interface PacedReaderContext {
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Gets the audio. */
  readonly stages: StageChain;
  /** The source has nothing to play for the time being. */
  readonly onIdle: () => void;
  readonly onProperties: (properties: StreamProperties) => void;
  readonly onFailure: (error: SourceError) => void;
}

/** A source that fills at once, and more slowly than its audio lasts, is read for so long in one go. */
const sliceMs = 5;

/**
 * Reads a source chunk by chunk in real time, and gives each its place in time.
 *
 * A chunk is asked for when the one before it has been captured, so a fast producer is held back
 * to real time; a slow one is waited for.
 */
export class PacedReader {
  readonly #source: StreamSource;
  readonly #options: StreamOptions;
  readonly #context: PacedReaderContext;
  readonly #pacer: Pacer;
  readonly #judge: ArrivalJudge;
  readonly #watch: ReadWatch;
  readonly #frames: number;
  readonly #chunkBytes: number;
  /** A read that took so long has waited for its source, however busy this machine is. */
  readonly #waitUs: number;
  /** Looks after which a stream without data counts as idle. */
  readonly #idleLooks: number;
  /** Looks after which the time base of a stream without data cannot be kept. */
  readonly #runLooks: number;
  readonly #share = new LoopShare(sliceMs);
  readonly #goOn = () => this.#pump();
  #slotTimer: NodeJS.Timeout | undefined;
  #chunk: Chunk | undefined;
  #isPumping = false;
  #isStopped = false;
  #isPaused = false;
  /** The next chunk does not continue the one before it, although their run goes on. */
  #hasSkipped = false;

  constructor(source: StreamSource, options: StreamOptions, context: PacedReaderContext) {
    const { format } = source;
    const { resyncToleranceMs, idleThresholdMs, chunkMs } = options;
    this.#source = source;
    this.#options = options;
    this.#context = context;
    this.#pacer = new Pacer(format, resyncToleranceMs * 1000);
    this.#judge = new ArrivalJudge(source, options, {
      pacer: this.#pacer,
      logger: context.logger,
      onLate: () => this.#endRun(),
    });
    this.#watch = new ReadWatch(context.clock, (looks) => this.#look(looks));
    this.#frames = format.framesIn(chunkMs);
    this.#chunkBytes = this.#frames * format.frameBytes;
    this.#waitUs = Math.max(leastWaitUs, Math.min(chunkMs, lookMs) * 500);
    this.#idleLooks = Math.ceil((idleThresholdMs + chunkMs) / lookMs);
    this.#runLooks = Math.ceil((resyncToleranceMs + chunkMs + Math.min(chunkMs, lookMs)) / lookMs);
  }

  /** How much faster than this machine's clock the source runs, as far as that shows. */
  get driftPpm(): number {
    return this.#judge.driftPpm;
  }

  /** Audio that has arrived and waits to be read; `undefined` when that cannot be known. */
  get backlogMs(): number | undefined {
    return this.#judge.backlogMs;
  }

  start(): void {
    this.#source.start({
      filled: () => this.#onFilled(),
      interrupted: (reason) => this.#onInterrupted(reason),
      properties: (properties) => this.#context.onProperties(properties),
      failed: (error) => this.#context.onFailure(error),
    });
    this.#pump();
  }

  /** No client listens: a source that makes its audio on demand costs nothing until `resume`. */
  pause(): void {
    if (!this.#source.skip) return;
    this.#isPaused = true;
    clearTimeout(this.#slotTimer);
    this.#share.cancel(this.#goOn);
    this.#context.stages.suspend();
  }

  /**
   * Goes on as if the source had been read all the time, from the oldest audio that a client
   * which joins can still play.
   */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#context.stages.resume();
    if (!this.#watch.isReading && this.#pacer.isRunning) this.#skip();
    this.#pump();
  }

  #skip(): void {
    const nowUs = this.#context.clock.nowUs();
    const missedUs = nowUs - this.#pacer.nextReadUs - this.#options.pastMs * 1000;
    const missed = Math.floor(missedUs / this.#source.format.durationUs(this.#frames));
    const frames = Math.max(0, missed) * this.#frames;
    this.#pacer.resume(frames, nowUs);
    if (frames === 0) return;
    this.#source.skip?.(frames);
    this.#hasSkipped = true;
    this.#context.stages.clear();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#slotTimer);
    this.#share.cancel(this.#goOn);
    this.#watch.stop();
    this.#context.stages.close();
    await this.#source.stop();
    this.#chunk?.release();
    this.#chunk = undefined;
  }

  /** Asks for chunks until one has to be waited for, its time has not come, or others have a turn. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#watch.isReading && !this.#isStopped && !this.#isPaused && this.#isTimeToRead()) {
      if (this.#share.isOver) {
        this.#share.later(this.#goOn);
        break;
      }
      this.#read();
    }
    this.#isPumping = false;
  }

  #isTimeToRead(): boolean {
    if (this.#judge.hasSurplus) return true;
    const nowUs = this.#context.clock.nowUs();
    const waitUs = this.#pacer.nextReadUs - nowUs;
    if (waitUs <= 0) return true;
    // Timers count from when the loop last looked at the clock, so they may fire a millisecond
    // early; waking up twice per chunk costs more than the millisecond is worth.
    const waitMs = Math.ceil(waitUs / 1000) + 1;
    this.#judge.look(nowUs);
    // What arrives between the reads of long chunks is looked at, too.
    const looksBefore = this.#source.backlogBytes && waitMs > 2 * lookMs;
    this.#slotTimer = setTimeout(() => this.#pump(), looksBefore ? lookMs : waitMs);
    return false;
  }

  #read(): void {
    const nowUs = this.#context.clock.nowUs();
    this.#chunk ??= this.#newChunk();
    this.#watch.begin(nowUs);
    this.#pacer.readStarted(nowUs);
    this.#source.read(this.#targetIn(this.#chunk));
    // A source that fills at once needs no look.
    if (this.#watch.isReading) this.#watch.wait();
  }

  #newChunk(): Chunk {
    return this.#context.pool.acquire(this.#chunkBytes, `stream "${this.#options.name}"`);
  }

  #targetIn(chunk: Chunk): Buffer {
    const whole = chunk.writable.subarray(0, this.#chunkBytes);
    return this.#source.packed24 ? packedTail(whole, this.#samples) : whole;
  }

  /** The target in the chunk is full: brings 24-bit samples into the one shape of all that follows. */
  #complete(chunk: Chunk): void {
    chunk.payloadBytes = this.#chunkBytes;
    if (this.#source.packed24) expandPacked24(chunk.writable, this.#samples);
    else if (this.#source.format.bits === 24) signExtend24(chunk.writable, this.#samples);
  }

  get #samples(): number {
    return this.#frames * this.#source.format.channels;
  }

  #onFilled(): void {
    const chunk = this.#chunk;
    if (this.#isStopped || !chunk) return;
    const watch = this.#watch;
    watch.end();
    this.#chunk = undefined;
    this.#complete(chunk);
    this.#pacer.stalled(watch.note());
    if (watch.waitedUs >= this.#waitUs) this.#pacer.waited(watch.sleptUs);
    if (this.#judge.isWanted(watch)) this.#take(chunk);
    else chunk.release();
    this.#pump();
  }

  #take(chunk: Chunk, endsRun = false): void {
    const place = this.#pacer.place(this.#frames, this.#watch.nowUs);
    const startsRun = place.startsRun || this.#hasSkipped;
    this.#hasSkipped = false;
    this.#pacer.postpone(this.#context.stages.take({ ...place, startsRun, endsRun, chunk }));
  }

  #onInterrupted(reason: string): void {
    if (this.#isStopped) return;
    this.#context.logger.debug('source interrupted', { stream: this.#options.name, reason });
    this.#context.onIdle();
    this.#endRun();
  }

  /** Looks at a read that waits for its source; says whether that is worth another look. */
  #look(looks: number): boolean {
    this.#pacer.stalled(this.#watch.note());
    this.#judge.look(this.#watch.nowUs);
    if (looks === this.#idleLooks) this.#context.onIdle();
    if (looks === this.#runLooks && !this.#isStopped) this.#onRunLost();
    return looks < Math.max(this.#idleLooks, this.#runLooks) && !this.#isStopped;
  }

  #onRunLost(): void {
    if (!this.#pacer.isRunning) return;
    const waitedUs = this.#watch.nowUs - this.#pacer.nextReadUs;
    this.#context.logger.info('no audio comes', this.#judge.lateness('source', waitedUs));
    this.#takePartial();
    this.#endRun();
  }

  /** What the read has gathered before the source fell silent still has its place in the run. */
  #takePartial(): void {
    if (!this.#source.takePartial) return;
    const chunk = this.#newChunk();
    const target = this.#targetIn(chunk);
    const bytes = this.#source.takePartial(target);
    if (bytes === 0) {
      chunk.release();
      return;
    }
    target.fill(0, bytes);
    this.#complete(chunk);
    this.#take(chunk, true);
  }

  #endRun(): void {
    this.#judge.endRun();
    this.#pacer.end();
    this.#context.stages.end();
  }
}
