import type { Clock } from '../base/clock.ts';
import type { SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import { ArrivalJudge, leastWaitUs } from './arrival-judge.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { arrivingFrameBytes, expandPacked24, packedTail, signExtend24 } from './int24.ts';
import { Pacer } from './pacer.ts';
import { lookMs, ReadWatch } from './read-watch.ts';
import type { StreamSource } from './sources/stream-source.ts';
import type { StageChain } from './stage-chain.ts';
import type { StreamOptions } from './stream-options.ts';
import type { StreamProperties } from './stream-properties.ts';
import type { StreamTrouble } from './stream-trouble.ts';

export interface PacedReaderContext {
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Gets the audio. */
  readonly stages: StageChain;
  /** For how long audio may be collected before it is read, where the source can wait. */
  readonly groupMs: () => number;
  /** The source has nothing to play for the time being. */
  readonly onIdle: () => void;
  readonly onProperties: (properties: StreamProperties) => void;
  readonly onTrouble?: ((trouble: StreamTrouble) => void) | undefined;
  readonly onFailure: (error: SourceError) => void;
}

/** Reading may be put off for so much of what fits into a source; the rest is for the hazards of both sides. */
const groupShare = 1 / 3;
/** A source that was never more than half full for so many groups is not one that is held back. */
const roomyGroups = 50;
const goldenRatio = (Math.sqrt(5) - 1) / 2;
/** A whole number of chunks, but for what rounding leaves. */
const roundingSlack = 0.01;

/** Sources that fill at once are read for so long per turn of the event loop, all of them together. */
const sliceMs = 5;
const share = new LoopShare(sliceMs);

/**
 * Reads a source chunk by chunk in real time, and gives each its place in time.
 *
 * A chunk is asked for when the one before it has been captured, so a fast producer is held back
 * to real time; a slow one is waited for. As each wake-up costs more than a chunk, a group of chunks
 * is read when the last of them may be, where the source can keep them for so long.
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
  readonly #chunkUs: number;
  readonly #arrivingBytes: number;
  /** A read that took so long has waited for its source, however busy this machine is. */
  readonly #waitUs: number;
  /** Looks after which a stream without data counts as idle. */
  readonly #idleLooks: number;
  /** Looks after which the time base of a stream without data cannot be kept. */
  readonly #runLooks: number;
  readonly #goOn = () => this.#pump();
  #slotTimer: NodeJS.Timeout | undefined;
  /** When the present group is to be read, and until when its first chunk is put off by that. */
  #wakeUs = 0;
  #putOffUs = 0;
  #isShortGroup = false;
  #roomyGroups = 0;
  /** Chunks that had arrived by the last time that they were counted and were not read yet. */
  #presentChunks = 0;
  /** Runs through all parts of 1 evenly. */
  #lookPhase = 0;
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
      onTrouble: context.onTrouble,
    });
    this.#watch = new ReadWatch(context.clock, (looks) => this.#look(looks));
    this.#frames = format.framesIn(chunkMs);
    this.#chunkBytes = this.#frames * format.frameBytes;
    this.#chunkUs = format.durationUs(this.#frames);
    this.#arrivingBytes = this.#frames * arrivingFrameBytes(format, source.packed24);
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
    share.cancel(this.#goOn);
    this.#context.stages.suspend();
  }

  /**
   * A client listens: reads what is due. A source that was not read goes on as if it had been all the
   * time, from the oldest audio that a client which joins can still play.
   */
  resume(): void {
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#context.stages.resume();
      if (!this.#watch.isReading && this.#pacer.isRunning) this.#skip();
    }
    if (!this.#watch.isReading) this.#readGroup();
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
    share.cancel(this.#goOn);
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
      // Without its first chunk it does not play, and nobody may listen who asks for it again.
      if (share.isOver && this.#pacer.isRunning) {
        share.later(this.#goOn);
        break;
      }
      this.#read();
    }
    this.#isPumping = false;
  }

  #isTimeToRead(): boolean {
    if (this.#judge.hasSurplus) return true;
    const nowUs = this.#context.clock.nowUs();
    const lateUs = nowUs - this.#pacer.nextReadUs;
    const chunks = this.#groupChunks();
    if (lateUs < 0) this.#plan(chunks - 1, nowUs - lateUs);
    // A source whose last chunk had to be waited for has the next one in as long as that lasts.
    else if (chunks > 1 && lateUs <= this.#chunkUs && this.#isInStep())
      this.#plan(chunks - 2, nowUs + this.#chunkUs);
    else return true;
    this.#judge.look(nowUs);
    this.#sleep(nowUs);
    return false;
  }

  /** The next group is read with `more` chunks behind the one that is there at `firstUs`. */
  #plan(more: number, firstUs: number): void {
    this.#wakeUs = firstUs + more * this.#chunkUs;
    this.#putOffUs = this.#pacer.nextReadUs + more * this.#chunkUs;
  }

  /** The last chunk came while it was read, and no other is there. */
  #isInStep(): boolean {
    if (this.#presentChunks >= 0 || !this.#pacer.isRunning) return false;
    this.#countPresent();
    return this.#presentChunks <= 0;
  }

  #countPresent(): void {
    this.#presentChunks = Math.floor(this.#judge.waitingFrames / this.#frames);
  }

  #sleep(nowUs: number): void {
    // Timers count from when the loop last looked at the clock, so they may fire a millisecond
    // early; waking up twice per chunk costs more than the millisecond is worth.
    const waitMs = Math.ceil((this.#wakeUs - nowUs) / 1000) + 1;
    clearTimeout(this.#slotTimer);
    this.#slotTimer = setTimeout(() => this.#wakeUp(), Math.min(waitMs, this.#lookMs()));
  }

  #wakeUp(): void {
    const nowUs = this.#context.clock.nowUs();
    if (nowUs >= this.#wakeUs) {
      this.#readGroup();
      return;
    }
    this.#judge.look(nowUs);
    this.#sleep(nowUs);
  }

  /** What arrives between the reads of long chunks is looked at, too, at changing moments. */
  #lookMs(): number {
    const { backlogBytes } = this.#source;
    if (!backlogBytes || this.#options.chunkMs <= 2 * lookMs) return Number.POSITIVE_INFINITY;
    this.#lookPhase = (this.#lookPhase + goldenRatio) % 1;
    return lookMs * (1 + 4 * this.#lookPhase);
  }

  /** How many chunks are read when the last of them may be. */
  #groupChunks(): number {
    const source = this.#source;
    const keptBytes = source.skip ? Number.POSITIVE_INFINITY : (source.capacityBytes?.() ?? 0);
    const kept = Math.floor((groupShare * keptBytes) / this.#arrivingBytes);
    const chunks = Math.min(this.#wantedChunks, kept);
    // A producer that writes as much at a time would always be seen at the same moment of its own.
    const isShort = this.#isShortGroup && chunks > 2 && source.backlogBytes;
    return Math.max(1, isShort ? chunks - 1 : chunks);
  }

  get #wantedChunks(): number {
    return Math.floor((this.#context.groupMs() * 1000) / this.#chunkUs + roundingSlack);
  }

  /**
   * A producer that does not fill what there is may have more room: nothing of it waits longer then,
   * and larger groups are safe.
   */
  #makeRoom(): void {
    const wantedBytes = (this.#wantedChunks * this.#arrivingBytes) / groupShare;
    const keptBytes = this.#source.capacityBytes?.() ?? Number.POSITIVE_INFINITY;
    if (keptBytes >= wantedBytes) return;
    const isRoomy = this.#presentChunks * this.#arrivingBytes <= keptBytes / 2;
    this.#roomyGroups = isRoomy ? this.#roomyGroups + 1 : 0;
    if (this.#roomyGroups < roomyGroups) return;
    // Another producer may come, which has to show it as well.
    this.#roomyGroups = 0;
    this.#source.widen?.(wantedBytes);
  }

  #readGroup(): void {
    const nowUs = this.#context.clock.nowUs();
    this.#isShortGroup = !this.#isShortGroup;
    if (this.#wakeUs > this.#pacer.nextReadUs) {
      this.#countPresent();
      this.#makeRoom();
      this.#pacer.putOff({
        untilUs: Math.min(nowUs, this.#putOffUs),
        wakeUs: Math.min(nowUs, this.#wakeUs),
        presentFrames: this.#presentChunks * this.#frames,
      });
    }
    this.#pump();
  }

  #read(): void {
    const nowUs = this.#context.clock.nowUs();
    this.#chunk ??= this.#newChunk();
    this.#watch.begin(nowUs, this.#pacer.putOffUs);
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
    const { format, packed24 } = this.#source;
    if (packed24) expandPacked24(chunk.writable, this.#samples, format.bits);
    else if (format.bits === 24) signExtend24(chunk.writable, this.#samples);
  }

  get #samples(): number {
    return this.#frames * this.#source.format.channels;
  }

  #onFilled(): void {
    const chunk = this.#chunk;
    if (this.#isStopped || !chunk) return;
    const watch = this.#watch;
    watch.end();
    this.#presentChunks -= 1;
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
    if (looks >= this.#idleLooks) this.#context.onIdle();
    if (looks >= this.#runLooks && !this.#isStopped) this.#onRunLost();
    return looks < Math.max(this.#idleLooks, this.#runLooks) && !this.#isStopped;
  }

  #onRunLost(): void {
    if (!this.#pacer.isRunning) return;
    const waitedUs = this.#watch.nowUs - this.#pacer.nextReadUs;
    this.#context.logger.info('no audio comes', this.#judge.lateness('source', waitedUs));
    this.#context.onTrouble?.({ kind: 'silent', side: 'source', ms: waitedUs / 1000 });
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
