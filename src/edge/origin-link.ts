import { type Clock, monotonicClock } from '../base/clock.ts';
import { ProtocolError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { LogLimiter } from '../base/time/log-limiter.ts';
import { PatientTimer } from '../base/time/patient-timer.ts';
import { messageType } from '../protocol/layout.ts';
import type { IncomingMessage } from '../protocol/message-reader.ts';
import {
  type Credentials,
  decodeCodecHeader,
  decodeRefusal,
  decodeServerSettings,
  decodeWireChunk,
  encodeClientInfo,
  type OriginFacts,
  type ServerSettings,
} from '../protocol/messages.ts';
import type { OriginAddress } from './origin-address.ts';
import { OriginConnection, type OriginConnectionOptions } from './origin-connection.ts';
import { TimeAsker } from './time-asker.ts';
import { Timeline } from './timeline.ts';

const watchMs = 1000;
/** Beyond that players of two edges that are heard in one room do not sound as one. */
const maxQuietErrorUs = 5000;

/** A snapserver does not say whether its stream plays: it does while there is audio. */
const maxPauseMs = 500;

/** Of a stream at the origin. Valid during the call. */
export interface FeedHandler {
  onHeader(codec: string, header: Buffer): void;
  /** `timestampUs`: by the clock of the edge. */
  onChunk(timestampUs: number, payload: Buffer): void;
  onPlaying(isPlaying: boolean): void;
}

/** What comes of one stream of an origin. */
export interface Feed {
  /** Whether there is a listener here: otherwise the origin sends no audio. */
  listen(isListening: boolean): void;
  close(): void;
}

interface OriginLinkOptions {
  readonly address: OriginAddress;
  /** Of this edge, by which the origin knows it. */
  readonly name: string;
  readonly logger: Logger;
  readonly credentials?: Credentials | undefined;
  /** That of this machine. */
  readonly local?: Clock;
  /** By which audio is stamped here; absent: the timeline of this link. */
  readonly clock?: Clock | undefined;
  /** The origin, its `buffer` or its streams are other ones now. */
  readonly onFacts?: () => void;
}

/**
 * The way to one origin: its facts, its time, and its streams, each by a connection of its own.
 *
 * An origin that tells no facts is a snapserver: that serves one stream, on the connection of the link.
 */
export class OriginLink {
  readonly timeline: Timeline;
  readonly address: OriginAddress;
  readonly #options: OriginLinkOptions;
  readonly #local: Clock;
  readonly #logger: Logger;
  readonly #limiter = new LogLimiter();
  readonly #connection: OriginConnection;
  readonly #asker: TimeAsker;
  readonly #feeds = new Set<StreamFeed>();
  /** Of the stream of a snapserver. */
  #header: { readonly codec: string; readonly payload: Buffer } | undefined;
  #settings: ServerSettings | undefined;
  #timelineId: string | undefined;
  #isUp = false;
  #watch: NodeJS.Timeout | undefined;
  #isInaccurate = false;
  #breaks = 0;
  readonly #pause = new PatientTimer(maxPauseMs, () => this.#takePlaying(false));

  constructor(options: OriginLinkOptions) {
    this.#options = options;
    this.address = options.address;
    this.#local = options.local ?? monotonicClock;
    this.timeline = new Timeline(this.#local);
    this.#logger = options.logger.tagged('Edge');
    this.#connection = new OriginConnection({
      address: options.address,
      clock: this.#local,
      credentials: options.credentials,
      wish: () => ({ name: options.name, stream: '', isListening: false }),
      onMessage: (message) => this.#take(message),
      onDown: (reason) => this.#onDown(reason),
    });
    this.#asker = new TimeAsker({
      clock: this.#local,
      askByMessage: () => this.#connection.askTime(),
      onExchange: (exchange) => this.timeline.add(exchange),
    });
  }

  open(): void {
    this.#connection.open();
    void this.timeline.locked().then(() => this.#onLocked());
    this.#watch = setInterval(() => this.#lookAtTime(), watchMs).unref();
  }

  close(): void {
    clearInterval(this.#watch);
    this.#asker.stop();
    this.#pause.stop();
    this.#connection.close();
    for (const feed of this.#feeds) feed.close();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get isByUdp(): boolean {
    return this.#asker.isByUdp;
  }

  /** `undefined` while they are not known, and of a snapserver always. */
  get facts(): OriginFacts | undefined {
    return this.#settings?.origin;
  }

  /** End-to-end delay of all that comes from there; `undefined` before the first contact. */
  get bufferMs(): number | undefined {
    return this.#settings?.bufferMs;
  }

  /** The id of its time, which is also that of ours. */
  get timelineId(): string | undefined {
    return this.#timelineId;
  }

  /** Takes the stream of this name from now on, or, of a snapserver, the one that it plays us. */
  openFeed(stream: string, handler: FeedHandler): Feed {
    const { address, name, credentials, clock } = this.#options;
    const feed = new StreamFeed({
      stream,
      handler,
      shiftUs: () => {
        if (!this.timeline.isLocked) return undefined;
        return clock ? -this.timeline.offsetUs : this.timeline.shiftUs;
      },
      connect: (handlers) =>
        new OriginConnection({ ...handlers, address, credentials, clock: this.#local }),
      name,
      isOurTime: (id) => this.timeline.isLocked && id === this.#timelineId,
      onClose: () => this.#feeds.delete(feed),
    });
    this.#feeds.add(feed);
    this.#review(feed);
    return feed;
  }

  readonly #handlers: ReadonlyMap<number, (message: IncomingMessage) => void> = new Map([
    [messageType.serverSettings, ({ body }) => this.#onSettings(decodeServerSettings(body))],
    [messageType.time, (message) => this.#onTime(message)],
    [messageType.error, ({ body }) => this.#onRefusal(body)],
    [messageType.codecHeader, ({ body }) => this.#onHeader(body)],
    [messageType.wireChunk, ({ body }) => this.#onChunk(body)],
  ]);

  #take(message: IncomingMessage): void {
    this.#handlers.get(message.type)?.(message);
  }

  #onSettings(settings: ServerSettings): void {
    const { origin } = settings;
    const before = this.#settings?.origin;
    const wasUp = this.#isUp;
    this.#isUp = true;
    this.#settings = settings;
    const timelineId = origin?.timeline ?? '';
    if (this.#timelineId !== undefined && timelineId !== this.#timelineId) {
      this.#logger.warn('the origin has another clock: our time goes on as it was');
      this.timeline.restart();
      void this.timeline.locked().then(() => this.#onLocked());
    }
    this.#timelineId = timelineId;
    if (!wasUp) {
      this.#logger.info('connected to the origin', {
        ...this.address,
        kind: origin ? 'zerocast' : 'snapserver',
        buffer: settings.bufferMs,
      });
    }
    if (!wasUp || before?.time?.key !== origin?.time?.key) this.#startAsking(origin);
    for (const feed of this.#feeds) this.#review(feed);
    this.#options.onFacts?.();
  }

  #startAsking(origin: OriginFacts | undefined): void {
    const address = this.#connection.peer;
    this.#asker.start(address && origin?.time ? { ...origin.time, address } : undefined);
  }

  #onTime(message: IncomingMessage): void {
    const exchange = this.#connection.exchangeOf(message);
    if (exchange && !this.#asker.isByUdp) this.timeline.add(exchange);
  }

  #onRefusal(body: Buffer): void {
    const { code, name, detail } = decodeRefusal(body);
    throw new ProtocolError('refused', `the origin refuses us: ${code} ${name}, ${detail}`);
  }

  /** Of a snapserver: it is its player, and has the header before it may take audio. */
  #onHeader(body: Buffer): void {
    const { codec, payload } = decodeCodecHeader(body);
    this.#header = { codec, payload: Buffer.from(payload) };
    for (const feed of this.#feeds) feed.takeHeader(codec, this.#header.payload);
  }

  #onChunk(body: Buffer): void {
    const { timestampUs, payload } = decodeWireChunk(body);
    this.#takePlaying(true);
    this.#pause.restart();
    for (const feed of this.#feeds) feed.takeChunk(timestampUs, payload);
  }

  #onLocked(): void {
    const { offsetUs, errorBoundUs } = this.timeline.figures;
    this.#logger.info('the time of the origin is known', {
      offsetUs: Math.round(offsetUs),
      errorUs: Math.round(errorBoundUs),
      by: this.#asker.isByUdp ? 'UDP' : 'TCP',
    });
    for (const feed of this.#feeds) this.#review(feed);
  }

  /** Says once when the time is not what it should be, and when it is again. */
  #lookAtTime(): void {
    const { isLocked, errorBoundUs, leastRoundTripUs, breaks, silentUs } = this.timeline.figures;
    if (breaks > this.#breaks) {
      this.#breaks = breaks;
      this.#logger.error('the time of the origin has jumped: ours goes on as it was', {
        shiftMs: Math.round(this.timeline.shiftUs / 1000),
      });
    }
    const isInaccurate = isLocked && errorBoundUs > maxQuietErrorUs;
    if (isInaccurate === this.#isInaccurate) return;
    this.#isInaccurate = isInaccurate;
    const facts = {
      errorMs: errorBoundUs / 1000,
      roundTripMs: leastRoundTripUs / 1000,
      silentMs: Math.round(silentUs / 1000),
    };
    if (isInaccurate) this.#logger.warn('the time of the origin is not known well', facts);
    else this.#logger.info('the time of the origin is known well again', facts);
  }

  #review(feed: StreamFeed): void {
    if (!this.#isUp || !this.timeline.isLocked) return;
    const { facts } = this;
    if (!facts) {
      feed.follow();
      if (this.#header) feed.takeHeader(this.#header.codec, this.#header.payload);
      return;
    }
    feed.open();
    feed.takePlaying(facts.streams.some(({ id, isPlaying }) => id === feed.stream && isPlaying));
  }

  #onDown(reason: string): void {
    this.#asker.stop();
    this.#header = undefined;
    if (this.#limiter.allows() || this.#isUp) {
      this.#logger.warn('no connection to the origin', { ...this.address, reason });
    }
    this.#isUp = false;
    this.#pause.stop();
    this.#takePlaying(false);
  }

  #takePlaying(isPlaying: boolean): void {
    for (const feed of this.#feeds) feed.takePlaying(isPlaying);
  }
}

type FeedConnectionOptions = Pick<OriginConnectionOptions, 'wish' | 'onMessage' | 'onDown'>;

interface StreamFeedOptions {
  readonly stream: string;
  /** Of the edge. */
  readonly name: string;
  readonly handler: FeedHandler;
  /** From the time of the origin to that of audio here; `undefined` while that is not known. */
  readonly shiftUs: () => number | undefined;
  readonly connect: (options: FeedConnectionOptions) => OriginConnection;
  /** Whether the time of this id is the one that the shift is for. */
  readonly isOurTime: (timelineId: string) => boolean;
  readonly onClose: () => void;
}

/** One stream of one origin, by a connection of its own, which is only made when its time is known. */
class StreamFeed implements Feed {
  readonly #options: StreamFeedOptions;
  #connection: OriginConnection | undefined;
  #isListening = false;
  #isTimed = false;
  #isClosed = false;

  constructor(options: StreamFeedOptions) {
    this.#options = options;
  }

  get stream(): string {
    return this.#options.stream;
  }

  /** Connects, unless it is. */
  open(): void {
    if (this.#connection || this.#isClosed) return;
    const { connect, name, stream } = this.#options;
    this.#connection = connect({
      wish: () => ({ name, stream, isListening: this.#isListening }),
      onMessage: (message) => this.#handlers.get(message.type)?.(message),
      onDown: () => {
        this.#isTimed = false;
      },
    });
    this.#connection.open();
  }

  /** The audio comes by the link. */
  follow(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  listen(isListening: boolean): void {
    if (isListening === this.#isListening) return;
    this.#isListening = isListening;
    this.#connection?.send(encodeClientInfo({ volume: 100, muted: !isListening }));
  }

  takeHeader(codec: string, payload: Buffer): void {
    this.#options.handler.onHeader(codec, payload);
  }

  takeChunk(timestampUs: number, payload: Buffer): void {
    const shiftUs = this.#options.shiftUs();
    if (shiftUs !== undefined) this.#options.handler.onChunk(timestampUs + shiftUs, payload);
  }

  takePlaying(isPlaying: boolean): void {
    this.#options.handler.onPlaying(isPlaying);
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
    this.#options.onClose();
  }

  readonly #handlers: ReadonlyMap<number, (message: IncomingMessage) => void> = new Map([
    [messageType.serverSettings, ({ body }) => this.#onSettings(body)],
    [
      messageType.codecHeader,
      ({ body }) => {
        const { codec, payload } = decodeCodecHeader(body);
        this.takeHeader(codec, payload);
      },
    ],
    [
      messageType.wireChunk,
      ({ body }) => {
        if (!this.#isTimed) return;
        const { timestampUs, payload } = decodeWireChunk(body);
        this.takeChunk(timestampUs, payload);
      },
    ],
  ]);

  /** An origin that was started anew may have another clock, which the link learns of soon. */
  #onSettings(body: Buffer): void {
    const { origin } = decodeServerSettings(body);
    this.#isTimed = origin !== undefined && this.#options.isOurTime(origin.timeline);
    if (!this.#isTimed) throw new ProtocolError('other-time', 'the origin has another clock');
  }
}
