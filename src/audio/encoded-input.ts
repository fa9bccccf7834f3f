import type { Clock } from '../base/clock.ts';
import { AssertionError, messageOf, SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { loadNativeAddon } from '../base/native/native-addon.ts';
import { Activity } from './activity.ts';
import type { Buffering } from './buffering.ts';
import type { Chunk } from './chunk.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { EncodeTurns } from './encode-turns.ts';
import type { ChunkTiming } from './encoders/chunk-timing.ts';
import { codecName } from './encoders/codecs.ts';
import { type EncodeFigures, Encoding, noEncodeFigures } from './encoding.ts';
import type { Mixer, MixerOutput } from './mixer.ts';
import { PacedReader } from './paced-reader.ts';
import type { PcmPast } from './pcm-past.ts';
import type { Reception } from './reception.ts';
import type { SampleFormat } from './sample-format.ts';
import { prepareSource } from './sources/prepare-source.ts';
import { openSource } from './sources/sources.ts';
import {
  type OpenSource,
  type SourceSurroundings,
  type StreamSource,
  warnOfAddress,
} from './sources/stream-source.ts';
import { StageChain } from './stage-chain.ts';
import type { Stream, StreamState } from './stream.ts';
import type { StreamController } from './stream-controller.ts';
import type { StreamFeed, StreamReader } from './stream-feed.ts';
import { StreamFollowers } from './stream-followers.ts';
import type { StreamOptions } from './stream-options.ts';
import { noProperties, type StreamProperties } from './stream-properties.ts';
import type { StreamTrouble } from './stream-trouble.ts';
import type { VariantInput, VariantOutput } from './variant-input.ts';

/** A stream that plays announcements alone is not idle between two of them. */
const mixLingerMs = 200;

export interface EncodedInputContext {
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the encoders of all streams share. */
  readonly turns: EncodeTurns;
  /**
   * Is told how long chunks take until they are there, and says for how long audio may be collected
   * before it is read while a client listens, milliseconds.
   *
   * Failure: throws a `SourceError` when no client could play them; it disables the stream.
   */
  readonly onTiming?: (timing: ChunkTiming) => number;
  /** Takes each sealed chunk. */
  readonly onChunk: (chunk: Chunk) => void;
  /** What was published is of no use to any client any more. */
  readonly onOutdated: () => void;
  readonly onState: (state: StreamState) => void;
  /** What the source plays and allows controllers to do. */
  readonly onProperties?: (properties: StreamProperties) => void;
  readonly onTrouble?: (trouble: StreamTrouble) => void;
  readonly surroundings?: SourceSurroundings | undefined;
  /** Makes the source; absent: by the scheme of the address. */
  readonly createSource?: OpenSource;
  /** In the place of a source. */
  readonly feed?: StreamFeed;
}

interface Parts {
  readonly source: StreamSource | StreamFeed;
  readonly reader: StreamReader;
  readonly stages: StageChain;
  readonly encoding: Encoding;
}

/**
 * The stream of one source: reads it in real time, gives every chunk its timestamp, leads it through
 * stages, encodes it while a client listens, and publishes it.
 */
export class EncodedInput implements Stream {
  readonly id: string;
  readonly codec: string;
  readonly options: StreamOptions;
  readonly #context: EncodedInputContext;
  readonly #logger: Logger;
  #state: StreamState = 'idle';
  #format: SampleFormat;
  #parts: Parts | undefined;
  #mixer: Mixer | undefined;
  #past: PcmPast | undefined;
  readonly followers: StreamFollowers;
  #isPlaying = false;
  /** Sound is mixed over silence. */
  #isFilling = false;
  #isActive = false;
  #pcmListeners = 0;
  #isStopped = false;
  #fault: SourceError | undefined;
  #encodeFigures: EncodeFigures = noEncodeFigures;
  /** See `onTiming`. */
  #groupMs = 0;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: StreamOptions, context: EncodedInputContext) {
    this.options = options;
    this.id = options.name;
    this.codec = codecName(options.codec);
    this.#format = options.format;
    this.#context = context;
    this.#logger = context.logger.tagged('Stream');
    this.followers = new StreamFollowers((error) => this.#tellObserver(error));
  }

  get state(): StreamState {
    return this.#state;
  }

  get format(): SampleFormat {
    return this.#format;
  }

  get fault(): SourceError | undefined {
    return this.#fault;
  }

  get encodeFigures(): EncodeFigures {
    return this.#encodeFigures;
  }

  get driftPpm(): number {
    return this.#parts?.reader.driftPpm ?? 0;
  }

  get backlogMs(): number | undefined {
    return this.#parts?.reader.backlogMs;
  }

  get reception(): Reception | undefined {
    return this.#source?.reception;
  }

  get overruns(): number | undefined {
    return this.#source?.overruns;
  }

  get buffering(): Buffering | undefined {
    return this.#source?.buffering;
  }

  get streamController(): StreamController | undefined {
    return this.#source?.streamController;
  }

  get stages(): Stream['stages'] {
    return this.#parts?.stages;
  }

  get header(): Uint8Array | undefined {
    return this.codec === 'null' ? undefined : this.#parts?.encoding.header;
  }

  /** Opens source and encoder and begins to read. */
  async start(): Promise<void> {
    const { uri, warnings } = this.options;
    for (const reason of warnings) warnOfAddress(this.#logger, uri, reason);
    this.#opening = this.#open().catch((error) => this.#disable(error));
    await this.#opening;
  }

  activate(): void {
    this.#isActive = true;
    this.#parts?.encoding.activate();
    this.#listen();
  }

  deactivate(): void {
    this.#isActive = false;
    this.#parts?.encoding.deactivate();
    this.#pauseUnwanted();
  }

  addPcmListener(): void {
    this.#pcmListeners += 1;
    this.#listen();
  }

  removePcmListener(): void {
    this.#pcmListeners -= 1;
    this.#pauseUnwanted();
  }

  async openMixer(): Promise<Mixer | undefined> {
    const create = await this.#loadMixer(mixLingerMs, (isFilling) => {
      this.#isFilling = isFilling;
      this.#showState();
    });
    this.#mixer ??= this.#parts?.stages.attach(create);
    return this.#mixer;
  }

  async openVariant({ publish, onFailure }: VariantOutput): Promise<VariantInput | undefined> {
    const { options } = this;
    const { pool, turns } = this.#context;
    const format = this.#format;
    const create = await this.#loadMixer(0, () => undefined);
    const { VariantInput } = await import('./variant-input.ts');
    const encoding = await Encoding.open({ ...options, format, pool, turns, publish, onFailure });
    const main = this.#parts;
    if (!main) {
      encoding.close();
      return undefined;
    }
    const stages = new StageChain({
      pool,
      format,
      bufferMs: options.bufferMs,
      maxPaddingUs: encoding.maxPaddingUs,
      onPcm: (pcm) => encoding.take(pcm),
      onRunEnd: () => {
        encoding.flush();
        variant.runEnded();
      },
      onOutdated: () => encoding.clear(),
      onFailure,
      onObserverFailure: (error) => this.#tellObserver(error),
    });
    const mixer = stages.attach(create);
    const variant = new VariantInput({
      ...{ main, stages, mixer, encoding, pool, format },
      chunkMs: options.chunkMs,
    });
    return variant;
  }

  async keepPast(): Promise<PcmPast | undefined> {
    const { PcmPast } = await import('./pcm-past.ts');
    const stages = this.#parts?.stages;
    if (!stages || this.#past) return this.#past;
    const beginUs = stages.position.endUs;
    this.#past = new PcmPast({ keptMs: this.options.bufferMs, beginUs });
    stages.observe(this.#past);
    return this.#past;
  }

  /** What is needed to mix is loaded with the first call. */
  async #loadMixer(lingerMs: number, onFilling: (isFilling: boolean) => void) {
    const [{ Mixer }, { openDsp }] = await Promise.all([
      import('./mixer.ts'),
      import('../dsp/dsp.ts'),
    ]);
    const dsp = await openDsp(loadNativeAddon());
    const { chunkMs, bufferMs } = this.options;
    const { pool, clock } = this.#context;
    const format = this.#format;
    const lagMs = () => this.#groupMs + 2 * chunkMs;
    const parts = { pool, clock, dsp, format, chunkMs, bufferMs };
    return (output: MixerOutput) => new Mixer({ ...output, ...parts, lagMs, lingerMs, onFilling });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#opening;
    this.#close();
    await this.#closing;
  }

  get #source(): StreamSource | undefined {
    const source = this.#parts?.source;
    return source && 'read' in source ? source : undefined;
  }

  get #isWanted(): boolean {
    return this.#isActive || this.#pcmListeners > 0;
  }

  #listen(): void {
    this.#parts?.source.listen?.(true);
    this.#parts?.reader.resume?.();
  }

  #pauseUnwanted(): void {
    if (this.#isWanted) return;
    this.#parts?.source.listen?.(false);
    this.#parts?.reader.pause?.();
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

  /** Streams without a codec are sent to no client. */
  #judge(encoding: Encoding): void {
    if (this.codec === 'null') return;
    try {
      this.#groupMs = this.#context.onTiming?.(encoding.timing(this.options.chunkMs)) ?? 0;
    } catch (error) {
      encoding.close();
      throw error;
    }
  }

  /** Nothing when the stream was stopped meanwhile. */
  async #createSource(): Promise<StreamSource | StreamFeed | undefined> {
    const { createSource: own, surroundings, feed } = this.#context;
    const context = { ...this.options, ...surroundings, logger: this.#logger };
    // A caller that stops the stream in the same turn shall find nothing begun.
    await Promise.resolve();
    if (this.#isStopped) return undefined;
    if (feed) return feed;
    if (own) return own(context);
    const prepared = await prepareSource(context);
    return this.#isStopped ? undefined : openSource(prepared);
  }

  #begin(source: StreamSource | StreamFeed, encoding: Encoding): void {
    const { options } = this;
    const { pool, onOutdated } = this.#context;
    const { format } = source;
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
      onFailure: (error) => this.#disable(error),
      onObserverFailure: (error) => this.#tellObserver(error),
      followers: this.followers,
    });
    const reader =
      'read' in source ? this.#read(source, stages) : this.#take(source, stages, encoding);
    this.#parts = { source, reader, stages, encoding };
    if (this.#isActive) encoding.activate();
    this.#logger.info('stream started', {
      stream: this.id,
      source: options.uri.scheme,
      format: String(source.format),
      codec: options.codec,
    });
    source.listen?.(this.#isWanted);
    // The first chunk is read in any case: it tells whether the stream plays.
    reader.start();
    this.#pauseUnwanted();
  }

  #read(source: StreamSource, stages: StageChain): PacedReader {
    const { options } = this;
    const { pool, clock, onTrouble } = this.#context;
    const activity = new Activity(source.format, options, (isPlaying, atUs) =>
      this.#setPlaying(isPlaying, atUs),
    );
    stages.add(activity);
    return new PacedReader(source, options, {
      pool,
      clock,
      logger: this.#logger,
      stages,
      // While there is no listener nothing hurries but to notice that the stream plays.
      groupMs: () => (this.#isWanted ? this.#groupMs : options.idleThresholdMs),
      onIdle: () => activity.end(),
      onTrouble,
      onProperties: (properties) => {
        if (this.#parts) this.#context.onProperties?.(properties);
      },
      onFailure: (error) => this.#disable(error),
    });
  }

  #take(feed: StreamFeed, stages: StageChain, { maxPaddingUs }: Encoding): StreamReader {
    return feed.open({
      stages,
      maxPaddingUs,
      groupMs: () => this.#groupMs,
      onPlaying: (isPlaying, atUs) => this.#setPlaying(isPlaying, atUs),
    });
  }

  #setPlaying(isPlaying: boolean, atUs?: number): void {
    this.#isPlaying = isPlaying;
    this.#showState();
    this.followers.playing(isPlaying, atUs);
  }

  #disable(error: unknown): void {
    if (error instanceof AssertionError) throw error;
    if (this.#state === 'disabled') return;
    const reason = messageOf(error);
    this.#fault =
      error instanceof SourceError
        ? error
        : new SourceError('stream-broken', reason, { cause: error });
    this.#logger.error('stream disabled', { stream: this.id, reason });
    this.#close();
    this.#context.onOutdated();
    this.#context.onProperties?.(noProperties);
    this.#setState('disabled');
  }

  #tellObserver(error: unknown): void {
    const reason = (error instanceof Error && error.stack) || messageOf(error);
    this.#logger.error('what follows a stream has broken', { stream: this.id, reason });
  }

  #close(): void {
    const parts = this.#parts;
    this.#parts = undefined;
    this.#mixer = undefined;
    this.#past = undefined;
    if (!parts) return;
    this.#closing = parts.reader.stop().then(() => parts.encoding.close());
  }

  #showState(): void {
    this.#setState(this.#isPlaying || this.#isFilling ? 'playing' : 'idle');
  }

  #setState(state: StreamState): void {
    if (state === this.#state || this.#state === 'disabled') return;
    this.#state = state;
    this.#context.onState(state);
  }
}
