import type { LogFields, Logger } from '../base/logger.ts';
import { arrivingFrameBytes } from './int24.ts';
import type { Lateness, Pacer } from './pacer.ts';
import { lookMs, type ReadWatch } from './read-watch.ts';
import { ResyncLog } from './resync-log.ts';
import { SourceClock } from './source-clock.ts';
import type { StreamSource } from './sources/stream-source.ts';
import type { StreamOptions } from './stream-options.ts';
import type { StreamTrouble } from './stream-trouble.ts';

/** What is dropped at most after this server was away: more than kernels keep of most streams. */
const maxBacklogMs = 30_000;
/** A live producer makes reads wait for as long as its audio lasts, or nearly so. */
const liveShare = 0.75;
/** Judged over this much audio: a busy machine makes a producer in a hurry pause now and then, too. */
const liveWindowMs = 100;
/** A turn of the event loop takes as long. */
export const leastWaitUs = 1000;
/** Arrivals are seen at looks, and a busy machine makes clocks look unsteady, too. */
const deadBandMs = 1.5 * lookMs;
/** Where only reads that wait tell of arrivals: less than the shortest usual chunk. */
const blindDeadBandMs = 8;

interface ArrivalJudgeContext {
  readonly pacer: Pacer;
  readonly logger: Logger;
  /** The run is over with what was read before: what was read last came too late for it. */
  readonly onLate: () => void;
  readonly onTrouble?: ((trouble: StreamTrouble) => void) | undefined;
}

/**
 * Judges audio by when it arrives: follows the clock of its source, and drops what is too old to be
 * heard after an absence of this server, or by how much a source is too fast.
 */
export class ArrivalJudge {
  readonly #source: StreamSource;
  readonly #options: StreamOptions;
  readonly #context: ArrivalJudgeContext;
  readonly #clock: SourceClock;
  readonly #resyncs: ResyncLog;
  /** Of each chunk. */
  readonly #frames: number;
  readonly #chunkUs: number;
  /** Audio that may be old after this server was away, and what was dropped of it. */
  #backlogFrames = 0;
  #droppedFrames = 0;
  #observedUs = 0;
  /** How long the last reads of the backlog waited, and for how much audio. */
  #backlogWaitUs = 0;
  #backlogAudioUs = 0;
  /** Chunks of a source that is too fast which are still to be dropped, and what was in this run. */
  #surplusChunks = 0;
  #skippedUs = 0;

  constructor(source: StreamSource, options: StreamOptions, context: ArrivalJudgeContext) {
    const { format } = source;
    this.#source = source;
    this.#options = options;
    this.#context = context;
    this.#clock = new SourceClock(1000 * (source.backlogBytes ? deadBandMs : blindDeadBandMs));
    this.#resyncs = new ResyncLog(context.logger, options.name);
    this.#frames = format.framesIn(options.chunkMs);
    this.#chunkUs = format.durationUs(this.#frames);
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

  /** Audio that has arrived and waits to be read; infinite when that cannot be known. */
  get waitingFrames(): number {
    return this.#backlog ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the next chunk is dropped, whenever it comes. */
  get hasSurplus(): boolean {
    return this.#surplusChunks > 0;
  }

  /** Looks at what waits while nothing is read to its end. */
  look(nowUs: number): void {
    if (this.#source.backlogBytes) this.#observe(nowUs);
  }

  /** Whether the chunk that `read` has just filled is to be heard; it may end the run. */
  isWanted(read: ReadWatch): boolean {
    return !this.#isOld(read) && !this.#isSurplus(read);
  }

  /** A run ends: what is known of it says nothing about the next. */
  endRun(): void {
    this.#endBacklog();
    this.#surplusChunks = 0;
    this.#skippedUs = 0;
    this.#clock.restart();
  }

  /** How late audio is, for the log. */
  lateness(late: Lateness['side'], lateUs: number): LogFields {
    return { stream: this.#options.name, late, lateMs: Math.round(lateUs / 1000) };
  }

  /** Tells the clock what has arrived: `frames` that are about to be placed, and what waits. */
  #observe(nowUs: number, frames = 0): void {
    const { pacer } = this.#context;
    if (!pacer.isRunning || this.#surplusChunks > 0) return;
    // Chunks that are read at once tell the same.
    if (nowUs - this.#observedUs < leastWaitUs) return;
    this.#observedUs = nowUs;
    this.#clock.observe({
      nowUs,
      lateUs: pacer.lateUs(frames + (this.#backlog ?? 0), nowUs),
      shiftUs: pacer.slewedUs - this.#skippedUs,
    });
    pacer.slew(this.#clock.slewPpm);
  }

  /** Follows the clock of the source; true for audio by which it is too far ahead of real time. */
  #isSurplus({ nowUs, waitedUs }: ReadWatch): boolean {
    if (!this.#context.pacer.isRunning) return false;
    const { backlogBytes, takePartial } = this.#source;
    // Where nothing is told of what waits, only audio that had to be waited for shows when it came.
    if (backlogBytes || (takePartial && waitedUs >= leastWaitUs))
      this.#observe(nowUs, this.#frames);
    if (this.#surplusChunks === 0) this.#surplusChunks = this.#countSurplus();
    if (this.#surplusChunks === 0) return false;
    this.#surplusChunks -= 1;
    this.#skippedUs += this.#chunkUs;
    return true;
  }

  /** Chunks to be dropped so that a source which is too fast is where it was: all at once. */
  #countSurplus(): number {
    const { advanceUs, driftPpm } = this.#clock;
    const chunks = Math.floor(advanceUs / this.#chunkUs);
    if (chunks === 0 || advanceUs <= this.#options.resyncToleranceMs * 1000) return 0;
    this.#clock.skipped();
    this.#context.onTrouble?.({ kind: 'fast', side: 'source', ms: advanceUs / 1000 });
    this.#resyncs.tell('resync, the source is too fast', {
      ...this.lateness('source', advanceUs),
      droppedMs: Math.round((chunks * this.#chunkUs) / 1000),
      driftPpm: Math.round(driftPpm),
    });
    return chunks;
  }

  /** Ends the run of a chunk that came too late; true for audio that is not to be heard any more. */
  #isOld(read: ReadWatch): boolean {
    const late = this.#context.pacer.lateness(this.#frames, read.nowUs);
    if (!late) return this.#backlogFrames > 0 && this.#isBacklog(read.waitedUs);
    const { lateUs, side } = late;
    // Asked before the end of the run, with which it is forgotten.
    const oldUs = this.#context.pacer.lateUs(this.#frames, read.nowUs);
    const backlogMs = (oldUs + Math.max(0, this.#clock.advanceUs)) / 1000;
    this.#resyncs.tell('resync, audio came too late', this.lateness(side, lateUs));
    this.#context.onTrouble?.({ kind: 'late', side, ms: lateUs / 1000 });
    this.#context.onLate();
    if (side === 'source' || !this.#source.takePartial) return false;
    this.#backlogFrames = this.#source.format.framesIn(Math.min(backlogMs, maxBacklogMs));
    return this.#drop();
  }

  /**
   * After an absence of this server: what is there without waiting has piled up meanwhile, up to
   * the length of the absence. A producer that is held back loses as much, as if it had played on.
   */
  #isBacklog(waitedUs: number): boolean {
    const windowUs = liveWindowMs * 1000;
    this.#backlogWaitUs += waitedUs;
    this.#backlogAudioUs += this.#chunkUs;
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
}
