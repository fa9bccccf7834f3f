import type { Clock } from '../base/clock.ts';
import { AssertionError, messageOf, SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Activity } from './activity.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { EncodeTurns } from './encode-turns.ts';
import type { ChunkTiming } from './encoders/chunk-timing.ts';
import { codecName } from './encoders/codecs.ts';
import { type EncodeFigures, Encoding, noEncodeFigures } from './encoding.ts';
import { PacedReader } from './paced-reader.ts';
import type { SampleFormat } from './sample-format.ts';
import { prepareSource } from './sources/prepare-source.ts';
import { createSource } from './sources/sources.ts';
import {
  type SourceFactory,
  type SourceSurroundings,
  type StreamSource,
  warnOfAddress,
} from './sources/stream-source.ts';
import { StageChain } from './stage-chain.ts';
import type { StreamOptions } from './stream-options.ts';

/** `disabled`: the source or its encoder cannot go on, the log says why. */
export type StreamState = 'idle' | 'playing' | 'disabled';

export interface AudioStreamContext {
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the encoders of all streams share. */
  readonly turns: EncodeTurns;
  /**
   * Is told how long chunks take until they are there.
   *
   * Failure: throws a `SourceError` when nobody could play them; it disables the stream.
   */
  readonly onTiming?: (timing: ChunkTiming) => void;
  /** Takes each sealed chunk. */
  readonly onChunk: (chunk: Chunk) => void;
  /** What was published is of no use to anybody any more. */
  readonly onOutdated: () => void;
  readonly onState: (state: StreamState) => void;
  readonly surroundings?: SourceSurroundings | undefined;
  /** Makes the source; absent: by the scheme of the address. */
  readonly createSource?: SourceFactory;
}

interface Input {
  readonly reader: PacedReader;
  readonly stages: StageChain;
  readonly encoding: Encoding;
}

/**
 * One stream: reads its source in real time, gives every chunk its timestamp, encodes it while
 * somebody listens, and publishes it.
 *
 * Failure: a source or encoder that cannot go on disables this stream and nothing else.
 */
export class AudioStream {
  readonly name: string;
  readonly codec: string;
  readonly options: StreamOptions;
  readonly #context: AudioStreamContext;
  readonly #logger: Logger;
  #state: StreamState = 'idle';
  #format: SampleFormat;
  #input: Input | undefined;
  #listeners = 0;
  #isStopped = false;
  #fault: SourceError | undefined;
  #encodeFigures: EncodeFigures = noEncodeFigures;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: StreamOptions, context: AudioStreamContext) {
    this.options = options;
    this.name = options.name;
    this.codec = codecName(options.codec);
    this.#format = options.format;
    this.#context = context;
    this.#logger = context.logger.tagged('Stream');
  }

  get state(): StreamState {
    return this.#state;
  }

  /** What its source delivers, which a file says itself once it is open. */
  get format(): SampleFormat {
    return this.#format;
  }

  /** Why the stream is disabled. */
  get fault(): SourceError | undefined {
    return this.#fault;
  }

  /** Since the stream was started. */
  get encodeFigures(): EncodeFigures {
    return this.#encodeFigures;
  }

  /** How much faster than this machine's clock the source runs, as far as that shows. */
  get driftPpm(): number {
    return this.#input?.reader.driftPpm ?? 0;
  }

  /** Audio that has arrived and waits to be read; `undefined` where that cannot be told. */
  get backlogMs(): number | undefined {
    return this.#input?.reader.backlogMs;
  }

  /** What its PCM passes, of `format`; `undefined` while there is none. */
  get stages(): StageChain | undefined {
    return this.#input?.stages;
  }

  /** Payload of the codec header message; `undefined` while clients have nothing to decode. */
  get header(): Uint8Array | undefined {
    return this.codec === 'null' ? undefined : this.#input?.encoding.header;
  }

  /**
   * Opens source and encoder and begins to read.
   *
   * Failure: a fault disables the stream; one that the source has at once, such as a port that is
   * taken, is known as `fault` when this resolves.
   */
  async start(): Promise<void> {
    const { uri, warnings } = this.options;
    for (const reason of warnings) warnOfAddress(this.#logger, uri, reason);
    this.#opening = this.#open().catch((error) => this.#disable(error));
    await this.#opening;
  }

  addListener(): void {
    this.#listeners += 1;
    if (this.#listeners > 1) return;
    this.#input?.encoding.activate();
    this.#input?.reader.resume();
  }

  removeListener(): void {
    this.#listeners -= 1;
    if (this.#listeners > 0) return;
    this.#input?.encoding.deactivate();
    this.#input?.reader.pause();
  }

  /** Lets go of everything; resolves when source and encoder are closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#opening;
    this.#close();
    await this.#closing;
  }

  async #open(): Promise<void> {
    const { options } = this;
    const source = await this.#createSource();
    if (!source) return;
    try {
      const { pool, turns, onChunk } = this.#context;
      const { format } = source;
      this.#format = format;
      const onFailure = (error: unknown) => this.#disable(error);
      const publish = onChunk;
      const encoding = await Encoding.open({ ...options, format, pool, turns, publish, onFailure });
      if (this.#isStopped) {
        encoding.close();
        await source.stop();
        return;
      }
      this.#judge(encoding);
      this.#encodeFigures = encoding.figures;
      this.#begin(source, encoding);
      // A prepared source learns of a fault, as of a port that is taken, within this turn.
      await new Promise((resolve) => setImmediate(resolve));
    } catch (error) {
      await source.stop();
      throw error;
    }
  }

  /** Streams without a codec are sent to nobody. */
  #judge(encoding: Encoding): void {
    if (this.codec === 'null') return;
    try {
      this.#context.onTiming?.(encoding.timing(this.options.chunkMs));
    } catch (error) {
      encoding.close();
      throw error;
    }
  }

  /** Nothing when the stream was stopped meanwhile. */
  async #createSource(): Promise<StreamSource | undefined> {
    const { createSource: own, surroundings } = this.#context;
    const context = { ...this.options, ...surroundings, logger: this.#logger };
    // Whoever stops the stream in the same breath shall find nothing begun.
    await Promise.resolve();
    if (this.#isStopped) return undefined;
    if (own) return own(context);
    const uri = await prepareSource(context);
    return this.#isStopped ? undefined : createSource({ ...context, uri });
  }

  #begin(source: StreamSource, encoding: Encoding): void {
    const { options } = this;
    const { pool, clock, onOutdated } = this.#context;
    const { format } = source;
    const activity = new Activity(format, options, (isPlaying) =>
      this.#setState(isPlaying ? 'playing' : 'idle'),
    );
    const stages = new StageChain({
      pool,
      format,
      bufferMs: options.bufferMs,
      maxPaddingUs: encoding.maxPaddingUs,
      onPcm: (pcm) => encoding.take(pcm),
      onRunEnd: () => encoding.flush(),
      onOutdated: () => {
        encoding.clear();
        onOutdated();
      },
    });
    stages.add(activity);
    const reader = new PacedReader(source, options, {
      pool,
      clock,
      logger: this.#logger,
      stages,
      onIdle: () => activity.end(),
      onFailure: (error) => this.#disable(error),
    });
    this.#input = { reader, stages, encoding };
    if (this.#listeners > 0) encoding.activate();
    this.#logger.info('stream started', {
      stream: this.name,
      source: options.uri.scheme,
      format: String(source.format),
      codec: options.codec,
    });
    // The first chunk is read in any case: it tells whether the stream plays.
    reader.start();
    if (this.#listeners === 0) reader.pause();
  }

  #disable(error: unknown): void {
    if (error instanceof AssertionError) throw error;
    if (this.#state === 'disabled') return;
    const reason = messageOf(error);
    this.#fault =
      error instanceof SourceError
        ? error
        : new SourceError('stream-broken', reason, { cause: error });
    this.#logger.error('stream disabled', { stream: this.name, reason });
    this.#close();
    this.#context.onOutdated();
    this.#setState('disabled');
  }

  #close(): void {
    const input = this.#input;
    this.#input = undefined;
    if (!input) return;
    this.#closing = input.reader.stop().then(() => input.encoding.close());
  }

  #setState(state: StreamState): void {
    if (state === this.#state || this.#state === 'disabled') return;
    this.#state = state;
    this.#context.onState(state);
  }
}
