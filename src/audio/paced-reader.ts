import type { Clock } from '../base/clock.ts';
import type { SourceError } from '../base/errors.ts';
import type { LogFields, Logger } from '../base/logger.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import { RestartableTimer } from '../base/time/restartable-timer.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { TimedPcm } from './encoding.ts';
import { arrivingFrameBytes, expandPacked24, packedTail, signExtend24 } from './int24.ts';
import { type Lateness, Pacer } from './pacer.ts';
import { ResyncLog } from './resync-log.ts';
import { SilenceDetector } from './silence.ts';
import { SourceClock } from './source-clock.ts';
import type { StreamSource } from './sources/stream-source.ts';
import type { StreamOptions } from './stream-options.ts';

/** How often a read that waits for its source is looked at. */
const lookMs = 20;
/** What is dropped at most after this server was away: more than kernels keep of most streams. */
const maxBacklogMs = 30_000;
/** A live producer makes reads wait for as long as its audio lasts, or nearly so. */
const liveShare = 0.75;
/** A turn of the event loop takes as long. */
const leastWaitUs = 1000;
/** Arrivals are seen at looks, and a busy machine makes clocks look unsteady, too. */
const deadBandMs = 1.5 * lookMs;
/** Where only reads that wait tell of arrivals: less than the shortest usual chunk. */
const blindDeadBandMs = 8;
/** Judged over this much audio: a busy machine makes somebody who hurries pause now and then, too. */
const liveWindowMs = 100;

export interface PacedReaderContext {
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How much silence may be sent behind what was told before `onRunEnd`. */
  readonly maxPaddingUs: number;
  /** Ownership: takes over the reference to the chunk. */
  readonly onPcm: (pcm: TimedPcm) => void;
  /** No audio follows for the time being. */
  readonly onRunEnd: () => void;
  /** What was told before is too old to be played. */
  readonly onOutdated: () => void;
  readonly onActivity: (isPlaying: boolean) => void;
  readonly onFailure: (error: SourceError) => void;
}

/** A source that fills at once, and more slowly than its audio lasts, is read for so long in one go. */
const sliceMs = 5;

/**
 * Reads a source chunk by chunk in real time, and says whether it plays.
 *
 * A chunk is asked for when the one before it has been captured, so a fast producer is held back
 * to real time; a slow one is waited for.
 */
export class PacedReader {
  readonly #source: StreamSource;
  readonly #options: StreamOptions;
  readonly #context: PacedReaderContext;
  readonly #pacer: Pacer;
  readonly #clock: SourceClock;
  readonly #resyncs: ResyncLog;
  readonly #silence: SilenceDetector;
  readonly #frames: number;
  readonly #chunkBytes: number;
  /** A read that took so long has waited for its source, however busy this machine is. */
  readonly #waitUs: number;
  /** Looks after which a stream without data counts as idle. */
  readonly #idleLooks: number;
  /** Looks after which the time base of a stream without data cannot be kept. */
  readonly #runLooks: number;
  readonly #lookTimer: RestartableTimer;
  readonly #outdatedTimer: RestartableTimer;
  #slotTimer: NodeJS.Timeout | undefined;
  readonly #share = new LoopShare(sliceMs);
  readonly #goOn = () => this.#pump();
  #chunk: Chunk | undefined;
  #isReading = false;
  /** Looks at the outstanding read so far, and when the last one was. */
  #looks = 0;
  #lookedUs = 0;
  /** When the outstanding read began, and how much of the time since then this server slept. */
  #readUs = 0;
  #sleptUs = 0;
  /** Audio that may be old after this server was away, and what was dropped of it. */
  #backlogFrames = 0;
  #droppedFrames = 0;
  /** How long the last reads of the backlog waited, and for how much audio. */
  #backlogWaitUs = 0;
  #backlogAudioUs = 0;
  /** Chunks of a source that is too fast which are still to be dropped, and what was in this run. */
  #surplusChunks = 0;
  #skippedUs = 0;
  #isPumping = false;
  #isStopped = false;
  #isPaused = false;
  /** The next chunk does not continue the one before it, although their run goes on. */
  #hasSkipped = false;
  #isPlaying = false;
  #silentSinceUs: number | undefined;
  /** The last chunk was silence that is not sent. */
  #skipsSilence = false;

  constructor(source: StreamSource, options: StreamOptions, context: PacedReaderContext) {
    const { format } = source;
    this.#source = source;
    this.#options = options;
    this.#context = context;
    this.#pacer = new Pacer(format, options.resyncToleranceMs * 1000);
    this.#clock = new SourceClock(1000 * (source.backlogBytes ? deadBandMs : blindDeadBandMs));
    this.#resyncs = new ResyncLog(context.logger, options.name);
    this.#silence = new SilenceDetector(format, options.silenceThresholdPercent);
    this.#frames = format.framesIn(options.chunkMs);
    this.#chunkBytes = this.#frames * format.frameBytes;
    this.#waitUs = Math.max(leastWaitUs, Math.min(options.chunkMs, lookMs) * 500);
    this.#idleLooks = Math.ceil((options.idleThresholdMs + options.chunkMs) / lookMs);
    const { resyncToleranceMs, chunkMs } = options;
    this.#runLooks = Math.ceil((resyncToleranceMs + chunkMs + Math.min(chunkMs, lookMs)) / lookMs);
    this.#lookTimer = new RestartableTimer(lookMs, () => this.#look());
    this.#outdatedTimer = new RestartableTimer(options.bufferMs, () => {
      if (!this.#pacer.isRunning || this.#skipsSilence || this.#isPaused) context.onOutdated();
    });
  }

  /** How much faster than this machine's clock the source runs, as far as that shows. */
  get driftPpm(): number {
    return this.#clock.driftPpm;
  }

  /** Audio that has arrived and waits to be read; `undefined` when that cannot be known. */
  get backlogMs(): number | undefined {
    const frames = this.#backlog;
    return frames === undefined ? undefined : this.#source.format.durationUs(frames) / 1000;
  }

  get #backlog(): number | undefined {
    const bytes = this.#source.backlogBytes?.();
    if (bytes === undefined) return undefined;
    return Math.floor(bytes / arrivingFrameBytes(this.#source.format, this.#source.packed24));
  }

  start(): void {
    this.#source.start({
      filled: () => this.#onFilled(),
      interrupted: (reason) => this.#onInterrupted(reason),
      failed: (error) => this.#context.onFailure(error),
    });
    this.#pump();
  }

  /** Nobody listens: a source that makes its audio on demand costs nothing until `resume`. */
  pause(): void {
    if (!this.#source.skip) return;
    this.#isPaused = true;
    clearTimeout(this.#slotTimer);
    this.#share.cancel(this.#goOn);
    this.#outdatedTimer.restart();
  }

  /**
   * Goes on as if the source had been read all the time, from the oldest audio that who joins can
   * still play.
   */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#isReading && this.#pacer.isRunning) this.#skip();
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
    this.#context.onOutdated();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#slotTimer);
    this.#share.cancel(this.#goOn);
    this.#lookTimer.stop();
    this.#outdatedTimer.stop();
    await this.#source.stop();
    this.#chunk?.release();
    this.#chunk = undefined;
  }

  /** Asks for chunks until one has to be waited for, its time has not come, or others have a turn. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isReading && !this.#isStopped && !this.#isPaused && this.#isTimeToRead()) {
      if (this.#share.isOver) {
        this.#share.later(this.#goOn);
        break;
      }
      this.#read();
    }
    this.#isPumping = false;
  }

  #isTimeToRead(): boolean {
    if (this.#surplusChunks > 0) return true;
    const nowUs = this.#context.clock.nowUs();
    const waitUs = this.#pacer.nextReadUs - nowUs;
    if (waitUs <= 0) return true;
    // Timers count from when the loop last looked at the clock, so they may fire a millisecond
    // early; waking up twice per chunk costs more than the millisecond is worth.
    const waitMs = Math.ceil(waitUs / 1000) + 1;
    if (this.#source.backlogBytes) this.#observe(nowUs);
    // What arrives between the reads of long chunks is looked at, too.
    const looksBefore = this.#source.backlogBytes && waitMs > 2 * lookMs;
    this.#slotTimer = setTimeout(() => this.#pump(), looksBefore ? lookMs : waitMs);
    return false;
  }

  #read(): void {
    const { clock } = this.#context;
    this.#chunk ??= this.#newChunk();
    this.#isReading = true;
    this.#looks = 0;
    this.#readUs = clock.nowUs();
    this.#lookedUs = this.#readUs;
    this.#sleptUs = 0;
    this.#pacer.readStarted(this.#readUs);
    this.#source.read(this.#targetIn(this.#chunk));
    // A source that fills at once needs nobody to look at it.
    if (this.#isReading) this.#lookTimer.restart();
  }

  /** How long the read that is under way has waited for its source. */
  get #waitedUs(): number {
    return this.#lookedUs - this.#readUs - this.#sleptUs;
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
    this.#isReading = false;
    this.#chunk = undefined;
    this.#complete(chunk);
    this.#noteStall();
    if (this.#waitedUs >= this.#waitUs) this.#pacer.waited(this.#sleptUs);
    if (this.#isOld() || this.#isSurplus()) chunk.release();
    else this.#take(chunk, this.#lookedUs);
    this.#pump();
  }

  /** Follows the clock of the source; true for audio by which it is too far ahead of real time. */
  #isSurplus(): boolean {
    if (!this.#pacer.isRunning) return false;
    const { backlogBytes, takePartial } = this.#source;
    // Where nothing is told of what waits, only audio that had to be waited for shows when it came.
    if (backlogBytes || (takePartial && this.#waitedUs >= leastWaitUs)) {
      this.#observe(this.#lookedUs, this.#frames);
    }
    if (this.#surplusChunks === 0) this.#surplusChunks = this.#countSurplus();
    if (this.#surplusChunks === 0) return false;
    this.#surplusChunks -= 1;
    this.#skippedUs += this.#source.format.durationUs(this.#frames);
    return true;
  }

  /** Tells the clock what has arrived: `frames` that are about to be placed, and what waits. */
  #observe(nowUs: number, frames = 0): void {
    if (!this.#pacer.isRunning || this.#surplusChunks > 0) return;
    this.#clock.observe({
      nowUs,
      lateUs: this.#pacer.lateUs(frames + (this.#backlog ?? 0), nowUs),
      shiftUs: this.#pacer.slewedUs - this.#skippedUs,
    });
    this.#pacer.slew(this.#clock.slewPpm);
  }

  /** Chunks to be dropped so that a source which is too fast is where it was: all at once. */
  #countSurplus(): number {
    const { advanceUs, driftPpm } = this.#clock;
    const chunkUs = this.#source.format.durationUs(this.#frames);
    const chunks = Math.floor(advanceUs / chunkUs);
    if (chunks === 0 || advanceUs <= this.#options.resyncToleranceMs * 1000) return 0;
    this.#clock.skipped();
    this.#resyncs.tell('resync, the source is too fast', {
      ...this.#lateness('source', advanceUs),
      droppedMs: Math.round((chunks * chunkUs) / 1000),
      driftPpm: Math.round(driftPpm),
    });
    return chunks;
  }

  /** Ends the run of a chunk that came too late; true for audio that is not to be heard any more. */
  #isOld(): boolean {
    const late = this.#pacer.lateness(this.#frames, this.#lookedUs);
    if (!late) return this.#backlogFrames > 0 && this.#isBacklog();
    const { lateUs, side } = late;
    // Asked before the end of the run, with which it is forgotten.
    const backlogMs = (lateUs + Math.max(0, this.#clock.advanceUs)) / 1000;
    this.#resyncs.tell('resync, audio came too late', this.#lateness(side, lateUs));
    this.#endRun();
    if (side === 'source' || !this.#source.takePartial) return false;
    this.#backlogFrames = this.#source.format.framesIn(Math.min(backlogMs, maxBacklogMs));
    return this.#drop();
  }

  /**
   * After an absence of this server: what is there without waiting has piled up meanwhile, up to
   * the length of the absence. A producer that is held back loses as much, as if it had played on.
   */
  #isBacklog(): boolean {
    const windowUs = liveWindowMs * 1000;
    this.#backlogWaitUs += this.#waitedUs;
    this.#backlogAudioUs += this.#source.format.durationUs(this.#frames);
    if (this.#backlogWaitUs >= liveShare * Math.max(windowUs, this.#backlogAudioUs)) {
      this.#endBacklog();
      return false;
    }
    if (this.#backlogAudioUs >= windowUs) {
      this.#backlogWaitUs = 0;
      this.#backlogAudioUs = 0;
    }
    return this.#drop();
  }

  #drop(): true {
    this.#droppedFrames += this.#frames;
    this.#backlogFrames -= this.#frames;
    if (this.#backlogFrames <= 0) this.#endBacklog();
    return true;
  }

  #endBacklog(): void {
    this.#backlogFrames = 0;
    this.#backlogWaitUs = 0;
    this.#backlogAudioUs = 0;
    if (this.#droppedFrames === 0) return;
    const droppedMs = Math.round(this.#source.format.durationUs(this.#droppedFrames) / 1000);
    this.#droppedFrames = 0;
    this.#context.logger.info('old audio dropped', { stream: this.#options.name, droppedMs });
  }

  #take(chunk: Chunk, nowUs: number): void {
    const resumes = this.#skipsSilence;
    this.#skipsSilence = this.#isToBeSkipped(chunk, nowUs);
    if (this.#skipsSilence && !resumes) {
      this.#pacer.padded(this.#context.maxPaddingUs);
      this.#endOutput();
    }
    if (!this.#skipsSilence && resumes && this.#pacer.overlaps) this.#pacer.end();
    const place = this.#pacer.place(this.#frames, nowUs);
    // The stream may have been stopped by what was told above.
    if (this.#skipsSilence || this.#isStopped) chunk.release();
    else {
      const startsRun = place.startsRun || resumes || this.#hasSkipped;
      this.#hasSkipped = false;
      this.#context.onPcm({ ...place, chunk, startsRun });
    }
  }

  /** Follows the activity of the stream; true for silence that is not to be sent. */
  #isToBeSkipped(chunk: Chunk, nowUs: number): boolean {
    const { idleThresholdMs, sendSilence } = this.#options;
    if (!this.#silence.isSilent(chunk.payload)) {
      this.#silentSinceUs = undefined;
      this.#setPlaying(true);
      return false;
    }
    this.#silentSinceUs ??= nowUs;
    if (nowUs - this.#silentSinceUs >= idleThresholdMs * 1000) this.#setPlaying(false);
    return !sendSilence && !this.#isPlaying;
  }

  #onInterrupted(reason: string): void {
    if (this.#isStopped) return;
    this.#context.logger.debug('source interrupted', { stream: this.#options.name, reason });
    this.#setPlaying(false);
    this.#endRun();
  }

  /**
   * Looks at a read that waits for its source. Patience counts looks, not time: when this server
   * was stalled, the audio may lie there and nobody had an opportunity to take it.
   */
  #look(): void {
    if (!this.#isReading) return;
    this.#noteStall();
    this.#looks += 1;
    if (this.#source.backlogBytes) this.#observe(this.#lookedUs);
    if (this.#looks === this.#idleLooks) this.#setPlaying(false);
    if (this.#looks === this.#runLooks && !this.#isStopped) this.#onRunLost();
    const isDecided = this.#looks >= Math.max(this.#idleLooks, this.#runLooks);
    if (!isDecided && !this.#isStopped) this.#lookTimer.restart();
  }

  #noteStall(): void {
    const nowUs = this.#context.clock.nowUs();
    const sleptUs = Math.max(0, nowUs - this.#lookedUs - lookMs * 1000);
    this.#pacer.stalled(sleptUs);
    this.#sleptUs += sleptUs;
    this.#lookedUs = nowUs;
  }

  #onRunLost(): void {
    if (!this.#pacer.isRunning) return;
    const waitedUs = this.#lookedUs - this.#pacer.nextReadUs;
    this.#context.logger.info('no audio comes', this.#lateness('source', waitedUs));
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
    const place = this.#pacer.place(this.#frames, this.#lookedUs);
    if (this.#skipsSilence) chunk.release();
    else this.#context.onPcm({ ...place, chunk });
  }

  #endRun(): void {
    this.#endBacklog();
    this.#surplusChunks = 0;
    this.#skippedUs = 0;
    this.#clock.restart();
    if (!this.#skipsSilence) this.#pacer.padded(this.#context.maxPaddingUs);
    this.#pacer.end();
    this.#endOutput();
  }

  #endOutput(): void {
    this.#context.onRunEnd();
    if (!this.#isStopped) this.#outdatedTimer.restart();
  }

  #lateness(late: Lateness['side'], lateUs: number): LogFields {
    return { stream: this.#options.name, late, lateMs: Math.round(lateUs / 1000) };
  }

  #setPlaying(isPlaying: boolean): void {
    if (isPlaying === this.#isPlaying) return;
    this.#isPlaying = isPlaying;
    this.#context.onActivity(isPlaying);
  }
}
