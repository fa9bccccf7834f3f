import type { Clock } from '../clock.ts';
import type { SourceError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { TimedPcm } from './encoding.ts';
import { Pacer } from './pacer.ts';
import { expandPacked24, packedTail } from './packed24.ts';
import { RestartableTimer } from './restartable-timer.ts';
import { SilenceDetector } from './silence.ts';
import type { StreamSource } from './sources/stream-source.ts';
import type { StreamOptions } from './stream-options.ts';

export interface PacedReaderContext {
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ownership: takes over the reference to the chunk. */
  readonly onPcm: (pcm: TimedPcm) => void;
  /** No audio follows for the time being. */
  readonly onRunEnd: () => void;
  /** A whole buffer length has passed since the run ended. */
  readonly onOutdated: () => void;
  readonly onActivity: (isPlaying: boolean) => void;
  readonly onFailure: (error: SourceError) => void;
}

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
  readonly #silence: SilenceDetector;
  readonly #frames: number;
  readonly #chunkBytes: number;
  /** Nothing was read for so long that the stream counts as idle. */
  readonly #idleTimer: RestartableTimer;
  /** Nothing was read for so long that the time base cannot be kept. */
  readonly #runTimer: RestartableTimer;
  readonly #outdatedTimer: RestartableTimer;
  #slotTimer: NodeJS.Timeout | undefined;
  #chunk: Chunk | undefined;
  #isReading = false;
  #isPumping = false;
  #isStopped = false;
  #isPlaying = false;
  #silentSinceUs: number | undefined;
  #skippedSilence = false;

  constructor(source: StreamSource, options: StreamOptions, context: PacedReaderContext) {
    const { format } = source;
    this.#source = source;
    this.#options = options;
    this.#context = context;
    this.#pacer = new Pacer(format, options.resyncToleranceMs * 1000);
    this.#silence = new SilenceDetector(format, options.silenceThresholdPercent);
    this.#frames = format.framesIn(options.chunkMs);
    this.#chunkBytes = this.#frames * format.frameBytes;
    this.#idleTimer = new RestartableTimer(options.idleThresholdMs + options.chunkMs, () =>
      this.#onNoData(),
    );
    this.#runTimer = new RestartableTimer(options.resyncToleranceMs + 2 * options.chunkMs, () =>
      this.#onRunLost(),
    );
    this.#outdatedTimer = new RestartableTimer(options.bufferMs, () => {
      if (!this.#pacer.isRunning) context.onOutdated();
    });
  }

  start(): void {
    this.#source.start({
      filled: () => this.#onFilled(),
      interrupted: (reason) => this.#onInterrupted(reason),
      failed: (error) => this.#context.onFailure(error),
    });
    this.#pump();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#slotTimer);
    this.#idleTimer.stop();
    this.#runTimer.stop();
    this.#outdatedTimer.stop();
    await this.#source.stop();
    this.#chunk?.release();
    this.#chunk = undefined;
  }

  /** Asks for chunks until one has to be waited for, or its time has not come. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isReading && !this.#isStopped && this.#isTimeToRead()) this.#read();
    this.#isPumping = false;
  }

  #isTimeToRead(): boolean {
    if (!this.#pacer.isRunning) return true;
    const waitUs = this.#pacer.nextReadUs - this.#context.clock.nowUs();
    if (waitUs <= 0) return true;
    this.#slotTimer = setTimeout(() => this.#pump(), Math.ceil(waitUs / 1000));
    return false;
  }

  #read(): void {
    const { pool, clock } = this.#context;
    this.#chunk ??= pool.acquire(this.#chunkBytes, `stream "${this.#options.name}"`);
    this.#isReading = true;
    this.#pacer.readStarted(clock.nowUs());
    this.#idleTimer.restart();
    this.#runTimer.restart();
    this.#source.read(this.#targetIn(this.#chunk));
  }

  #targetIn(chunk: Chunk): Buffer {
    const whole = chunk.writable.subarray(0, this.#chunkBytes);
    return this.#source.packed24 ? packedTail(whole, this.#samples) : whole;
  }

  get #samples(): number {
    return this.#frames * this.#source.format.channels;
  }

  #onFilled(): void {
    const chunk = this.#chunk;
    if (this.#isStopped || !chunk) return;
    this.#isReading = false;
    this.#chunk = undefined;
    chunk.payloadBytes = this.#chunkBytes;
    if (this.#source.packed24) expandPacked24(chunk.writable, this.#samples);
    this.#take(chunk, this.#context.clock.nowUs());
    this.#pump();
  }

  #take(chunk: Chunk, nowUs: number): void {
    const late = this.#pacer.lateness(this.#frames, nowUs);
    if (late) {
      const { name } = this.#options;
      const lateMs = Math.round(late.lateUs / 1000);
      this.#context.logger.warn('resync, audio came too late', {
        stream: name,
        late: late.side,
        lateMs,
      });
      this.#endRun();
    }
    const place = this.#pacer.place(this.#frames, nowUs);
    if (this.#isToBeSkipped(chunk, nowUs)) {
      chunk.release();
      this.#skippedSilence = true;
      return;
    }
    const startsRun = place.startsRun || this.#skippedSilence;
    this.#skippedSilence = false;
    this.#context.onPcm({ chunk, timestampUs: place.timestampUs, startsRun });
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

  #onNoData(): void {
    if (this.#isReading) this.#setPlaying(false);
  }

  #onRunLost(): void {
    if (!this.#isReading || !this.#pacer.isRunning) return;
    this.#source.discardPartial?.();
    this.#endRun();
  }

  #endRun(): void {
    this.#pacer.end();
    this.#context.onRunEnd();
    this.#outdatedTimer.restart();
  }

  #setPlaying(isPlaying: boolean): void {
    if (isPlaying === this.#isPlaying) return;
    this.#isPlaying = isPlaying;
    this.#context.onActivity(isPlaying);
  }
}
