import { ProtocolError } from '../base/errors.ts';
import { PatientTimer } from '../base/time/patient-timer.ts';
import type { ClientRecord } from '../clients/client-record.ts';
import { messageType } from '../protocol/layout.ts';
import type { IncomingMessage } from '../protocol/message-reader.ts';
import {
  type ClientInfo,
  decodeClientInfo,
  decodeHello,
  encodeRefusal,
  encodeServerSettings,
  encodeTimeReply,
  type Hello,
  type Refusal,
  type ServerSettings,
} from '../protocol/messages.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { Variant } from '../streams/variant.ts';
import type { AudioPath } from '../transport/audio-path.ts';
import { Connection, type ConnectionContext } from '../transport/connection.ts';
import type { Cursor } from '../transport/cursor.ts';
import type { FanOut } from '../transport/fan-out.ts';

/** A client says Hello once; each one more may bring an id that the registry has to remember. */
export const maxHellos = 8;
/** How often a session that is refused looks whether its peer has been told. */
const farewellCheckMs = 50;

/** What a session asks of the server that keeps it. */
export interface SessionHost {
  /** Learns who it is and calls `welcome` or `refuse`: at once, or when its promise resolves. */
  onHello(session: Session, hello: Hello, requestId: number): Promise<void> | undefined;
  onClientInfo(session: Session, client: ClientRecord, info: ClientInfo): void;
  onSignOfLife(client: ClientRecord): void;
  onClose(session: Session, reason: string): void;
}

/**
 * The protocol state of one client: `greeting` until its Hello, `streaming`, then `closed`.
 *
 * No audio leaves before the Hello, and of each stream the codec header goes first.
 */
export class Session {
  readonly connection: Connection;
  readonly path: AudioPath;
  readonly #host: SessionHost;
  readonly #helloTimer: PatientTimer;
  #client: ClientRecord | undefined;
  /** Of an edge, which has no client: it says whether it has listeners. */
  #onListening: ((isListening: boolean) => void) | undefined;
  #lastHeardUs = 0;
  #helloUs = 0;
  #askedUs = 0;
  #requestUs = 0;
  #channel: StreamChannel | undefined;
  #cursor: Cursor | undefined;
  /** Of its channel, when it is that which the session hears. */
  #variant: Variant | undefined;
  #hasHeader = false;
  /** When the audio of the channel was captured that the client has not got. */
  #resumeUs = Number.NEGATIVE_INFINITY;
  #hellos = 0;
  #isBeingAdmitted = false;
  #isRefused = false;
  #farewellTimer: NodeJS.Timeout | undefined;

  constructor(
    options: ConnectionContext & {
      /** A peer that says no Hello within this time is not a client. */
      readonly helloTimeoutMs: number;
      readonly fanOut: FanOut;
    },
    host: SessionHost,
  ) {
    this.#host = host;
    this.connection = new Connection(options, {
      onMessage: (message) => this.#onMessage(message),
      onClose: (reason) => this.#onClose(reason),
    });
    this.path = options.fanOut.attach(this.connection);
    this.connection.open();
    const { helloTimeoutMs } = options;
    this.#helloTimer = new PatientTimer(helloTimeoutMs, () =>
      this.close(`no Hello within ${helloTimeoutMs} ms`),
    );
    this.#helloTimer.restart();
  }

  get state(): 'greeting' | 'streaming' | 'closed' {
    if (this.connection.isClosed) return 'closed';
    return this.#client || this.#onListening ? 'streaming' : 'greeting';
  }

  get client(): ClientRecord | undefined {
    return this.#client;
  }

  get channel(): StreamChannel | undefined {
    return this.#channel;
  }

  /** What it hears in the place of its channel. */
  get variant(): Variant | undefined {
    return this.#variant;
  }

  /** When the last message came; 0 before the first one. */
  get lastHeardUs(): number {
    return Math.max(this.#lastHeardUs, this.connection.answeredUs);
  }

  /**
   * Of the newest Time request that was answered: what the clock of the client showed when it was
   * sent, and when it came; both 0 before the first.
   */
  get newestRequest(): { readonly askedUs: number; readonly receivedUs: number } {
    const { answeredUs, askedUs } = this.connection;
    return answeredUs > this.#requestUs
      ? { askedUs, receivedUs: answeredUs }
      : { askedUs: this.#askedUs, receivedUs: this.#requestUs };
  }

  /** How much audio there is already that has not been handed to the socket; 0 while it plays none. */
  get backlogUs(): number {
    const broadcast = (this.#variant ?? this.#channel)?.broadcast;
    return this.#cursor && broadcast ? broadcast.backlogUs(this.#cursor) : 0;
  }

  /** When the last message before `welcome` came: the Hello. */
  get helloUs(): number {
    return this.#helloUs;
  }

  /** Answers the Hello `requestId`; from here on the session belongs to `client`. */
  welcome(client: ClientRecord, settings: ServerSettings, requestId: number): void {
    this.#helloTimer.stop();
    this.#leaveChannel();
    this.#client = client;
    this.#onListening = undefined;
    this.path.isEveryTick = false;
    this.#helloUs = this.lastHeardUs;
    this.connection.send(encodeServerSettings(settings, requestId));
  }

  /** Answers the Hello `requestId` of a server that passes streams on; the session has no client. */
  welcomeEdge(
    settings: ServerSettings,
    requestId: number,
    onListening: (isListening: boolean) => void,
  ): void {
    this.#helloTimer.stop();
    this.#leaveChannel();
    this.#client = undefined;
    this.#onListening = onListening;
    this.path.isEveryTick = true;
    this.connection.send(encodeServerSettings(settings, requestId));
  }

  /**
   * Answers the Hello `requestId` with the reason, and closes when the peer has been told. Nothing
   * else is said to it, also when an earlier Hello was welcome.
   */
  refuse(refusal: Refusal, requestId: number): void {
    this.#isRefused = true;
    this.connection.stopAnswering();
    this.#leaveChannel();
    this.connection.send(encodeRefusal(refusal, requestId));
    const reason = `refused: ${refusal.name}, ${refusal.detail}`;
    // What answers received bytes is written when those are used up, and a peer may be slow to read.
    const check = () => {
      if (this.connection.busySinceUs === undefined) this.close(reason);
    };
    this.#farewellTimer = setInterval(check, farewellCheckMs);
  }

  /** Tells the client settings that it has not asked for. */
  update(settings: ServerSettings): void {
    if (!this.#isRefused) this.connection.send(encodeServerSettings(settings, 0));
  }

  /**
   * Plays `channel`: its codec header first, then its audio, or that of a variant of it, unless the
   * client is to hear none. The header makes it throw away what it holds, also for a variant that
   * begins anew.
   */
  play(channel: StreamChannel | undefined, isAudible: boolean, variant?: Variant): void {
    if (this.connection.isClosed || this.#isRefused) return;
    const isAnew = isAudible && variant?.isAnew && variant !== this.#variant;
    if (isAnew || channel !== this.#channel) {
      this.#leaveChannel();
      this.#channel = channel;
    }
    if (!this.#hasHeader) {
      const header = channel?.codecHeaderMessage();
      if (!header) return;
      this.connection.send(header);
      this.#hasHeader = true;
    }
    if (isAudible) this.#hear(variant);
    else this.#unsubscribe();
  }

  close(reason: string): void {
    this.connection.close(reason);
  }

  static readonly #handlers: ReadonlyMap<
    number,
    (session: Session, message: IncomingMessage) => void
  > = new Map([
    [messageType.hello, (session, message) => session.#onHello(message)],
    [messageType.time, (session, message) => session.#onTime(message)],
    [messageType.clientInfo, (session, message) => session.#onClientInfo(message)],
  ]);

  #onMessage(message: IncomingMessage): void {
    this.#lastHeardUs = message.receivedUs;
    if (!this.#isRefused) Session.#handlers.get(message.type)?.(this, message);
  }

  #onHello(message: IncomingMessage): void {
    if (this.#isBeingAdmitted) {
      throw new ProtocolError('early-hello', 'another Hello before the answer to the last one');
    }
    this.#hellos += 1;
    if (this.#hellos > maxHellos) {
      throw new ProtocolError('many-hellos', `more than ${maxHellos} Hellos on one connection`);
    }
    const entry = this.#host.onHello(this, decodeHello(message.body), message.id);
    if (entry) this.#await(entry);
  }

  async #await(entry: Promise<void>): Promise<void> {
    this.#isBeingAdmitted = true;
    await entry;
    this.#isBeingAdmitted = false;
  }

  #onTime(message: IncomingMessage): void {
    const { id: requestId, receivedUs, sentUs } = message;
    const latencyUs = receivedUs - sentUs;
    this.#askedUs = sentUs;
    this.#requestUs = receivedUs;
    this.connection.send(encodeTimeReply({ requestId, receivedUs, latencyUs }));
    if (this.#client) this.#host.onSignOfLife(this.#client);
  }

  #onClientInfo(message: IncomingMessage): void {
    if (this.#onListening) this.#onListening(!decodeClientInfo(message.body).muted);
    if (!this.#client) return;
    this.#host.onClientInfo(this, this.#client, decodeClientInfo(message.body));
  }

  #onClose(reason: string): void {
    this.#helloTimer.stop();
    clearInterval(this.#farewellTimer);
    this.#leaveChannel();
    this.path.detach();
    this.#host.onClose(this, reason);
  }

  #leaveChannel(): void {
    this.#unsubscribe();
    this.#channel = undefined;
    this.#hasHeader = false;
    this.#resumeUs = Number.NEGATIVE_INFINITY;
  }

  #hear(variant: Variant | undefined): void {
    const channel = this.#channel;
    if (!channel) return;
    if (!this.#cursor) this.#subscribe(channel, variant);
    else if (variant !== this.#variant && (this.#variant?.mayLeave(this.#cursor) ?? true))
      this.#change(channel, variant);
  }

  #subscribe(channel: StreamChannel, variant: Variant | undefined): void {
    this.#variant = variant;
    this.#cursor = channel.subscribe(this.path, variant);
    // A client that was muted for a moment has the audio before that already.
    const resumeAt = (variant ?? channel).broadcast.firstSince(this.#resumeUs);
    if (this.#cursor.sequence < resumeAt) this.#cursor.startAt(resumeAt);
  }

  /** The same audio goes on from the ring of a variant, or from that of the channel again. */
  #change(channel: StreamChannel, variant: Variant | undefined): void {
    const cursor = this.#cursor!;
    const old = (this.#variant ?? channel).broadcast;
    this.#cursor = (variant ?? channel).broadcast.takeOver(cursor, old.placeOf(cursor));
    old.unsubscribe(cursor);
    this.#variant = variant;
  }

  #unsubscribe(): void {
    const channel = this.#channel;
    if (!this.#cursor || !channel) return;
    this.#resumeUs = (this.#variant ?? channel).broadcast.placeOf(this.#cursor);
    channel.unsubscribe(this.#cursor, this.#variant);
    this.#cursor = undefined;
    this.#variant = undefined;
  }
}
