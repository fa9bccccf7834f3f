import type { Chunk } from '../audio/chunk.ts';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import { noEncodeFigures } from '../audio/encoding.ts';
import type { SampleFormat } from '../audio/sample-format.ts';
import type { Stream, StreamState } from '../audio/stream.ts';
import type { StreamOptions } from '../audio/stream-options.ts';
import type { Clock } from '../base/clock.ts';
import { ProtocolError, SourceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { within } from '../base/time/within.ts';
import { staleMarginMs } from '../transport/broadcast.ts';
import { chunkDurations } from './chunk-durations.ts';
import { nameAtOrigin } from './origin-address.ts';
import type { Feed, OriginLink } from './origin-link.ts';

/** So long a start waits for the codec header: an origin that is away must not hold up others. */
const maxHeaderMs = 2000;
/** What is captured later than that from now is of another time. */
const maxAheadUs = 2_000_000;

export interface RelayedInputContext {
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ownership: as `closeLink` says. */
  readonly link: Pick<OriginLink, 'openFeed'>;
  /** Is called when the stream has stopped; absent: the link is that of others, too. */
  readonly closeLink?: (() => void) | undefined;
  /** Takes each sealed chunk. */
  readonly onChunk: (chunk: Chunk) => void;
  readonly onState: (state: StreamState) => void;
  /** The codec is another one: a stream anew is to take this one's place, which gives nothing any more. */
  readonly onOutmoded: () => void;
}

/** The stream of one stream of an origin: its sealed chunks, byte for byte. */
export class RelayedInput implements Stream {
  readonly id: string;
  readonly options: StreamOptions;
  readonly encodeFigures = noEncodeFigures;
  readonly driftPpm = 0;
  readonly backlogMs = undefined;
  /** `stale`: too late to be played; `duplicate`: there already, as after a reconnect. */
  readonly relayFigures = { stale: 0, duplicate: 0, damaged: 0 };
  readonly #context: RelayedInputContext;
  readonly #logger: Logger;
  #feed: Feed | undefined;
  #state: StreamState = 'idle';
  #fault: SourceError | undefined;
  #codec = '';
  #header: Buffer | undefined;
  #durations: ReturnType<typeof chunkDurations> | undefined;
  #isActive = false;
  #isOutmoded = false;
  #isStopped = false;
  #onFirstHeader: () => void = () => undefined;
  #newestUs = Number.NEGATIVE_INFINITY;
  #newestDurationUs = 0;

  constructor(options: StreamOptions, context: RelayedInputContext) {
    this.options = options;
    this.id = options.name;
    this.#context = context;
    this.#logger = context.logger.tagged('Stream');
  }

  get state(): StreamState {
    return this.#state;
  }

  get fault(): SourceError | undefined {
    return this.#fault;
  }

  /** Empty before the first header. */
  get codec(): string {
    return this.#codec;
  }

  get header(): Uint8Array | undefined {
    return this.#header;
  }

  get format(): SampleFormat {
    return this.#durations?.format ?? this.options.format;
  }

  async start(): Promise<void> {
    // A caller that stops the stream in the same turn shall find nothing begun.
    await Promise.resolve();
    if (this.#isStopped) return;
    const headed = new Promise<void>((resolve) => {
      this.#onFirstHeader = resolve;
    });
    this.#feed = this.#context.link.openFeed(nameAtOrigin(this.options), {
      onHeader: (codec, header) => this.#onHeader(codec, header),
      onChunk: (timestampUs, payload) => this.#take(timestampUs, payload),
      onPlaying: (isPlaying) => this.#setState(isPlaying ? 'playing' : 'idle'),
    });
    this.#feed.listen(this.#isActive);
    await within(headed, maxHeaderMs);
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#onFirstHeader();
    this.#feed?.close();
    this.#context.closeLink?.();
  }

  activate(): void {
    this.#isActive = true;
    this.#feed?.listen(true);
  }

  deactivate(): void {
    this.#isActive = false;
    this.#feed?.listen(false);
  }

  #onHeader(codec: string, header: Buffer): void {
    if (this.#isStopped || this.#isOutmoded) return;
    if (this.#header) {
      // That of a reconnect.
      if (codec === this.#codec && this.#header.equals(header)) return;
      this.#isOutmoded = true;
      this.#context.onOutmoded();
      return;
    }
    this.#codec = codec;
    this.#header = Buffer.from(header);
    try {
      this.#durations = chunkDurations(codec, this.#header);
      this.#logger.info('stream started', {
        stream: this.id,
        source: this.options.uri.scheme,
        format: String(this.format),
        codec,
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#disable(error);
    }
    // Sessions that wait for the header get it now.
    this.#context.onState(this.#state);
    this.#onFirstHeader();
  }

  /** It is still followed: the next header may be another one. */
  #disable(cause: ProtocolError): void {
    this.#fault = new SourceError('stream-broken', cause.message, { cause });
    this.#logger.error('stream disabled', { stream: this.id, reason: cause.message });
    this.#state = 'disabled';
  }

  #take(timestampUs: number, payload: Buffer): void {
    const { clock, pool, onChunk } = this.#context;
    if (!this.#durations || this.#isOutmoded || this.#isStopped) return;
    const durationUs = this.#durations.of(payload);
    if (durationUs === undefined) {
      this.relayFigures.damaged += 1;
      return;
    }
    const ageUs = clock.nowUs() - timestampUs;
    if (ageUs > (this.options.bufferMs - staleMarginMs) * 1000 || ageUs < -maxAheadUs) {
      this.relayFigures.stale += 1;
      return;
    }
    if (timestampUs < this.#newestUs + this.#newestDurationUs / 2) {
      this.relayFigures.duplicate += 1;
      return;
    }
    this.#newestUs = timestampUs;
    this.#newestDurationUs = durationUs;
    const chunk = pool.acquire(payload.length, this.id);
    chunk.payloadBytes = payload.length;
    payload.copy(chunk.writable);
    chunk.seal({ timestampUs, durationUs });
    onChunk(chunk);
  }

  #setState(state: StreamState): void {
    if (state === this.#state || this.#state === 'disabled' || this.#isStopped) return;
    this.#state = state;
    this.#context.onState(state);
  }
}
