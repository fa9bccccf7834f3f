import { ProtocolError } from '../errors.ts';
import { messageType } from '../protocol/layout.ts';
import type { IncomingMessage } from '../protocol/message-reader.ts';
import {
  type ClientInfo,
  decodeClientInfo,
  decodeHello,
  encodeServerSettings,
  encodeTimeReply,
  type Hello,
  type ServerSettings,
} from '../protocol/messages.ts';
import type { AudioPath } from '../transport/audio-path.ts';
import { Connection, type ConnectionContext } from '../transport/connection.ts';
import type { Cursor } from '../transport/cursor.ts';
import type { FanOut } from '../transport/fan-out.ts';
import type { ClientRecord } from './registry.ts';
import type { StreamChannel } from './stream-channel.ts';

/** A client says Hello once; each one more may bring an id that the registry has to remember. */
export const maxHellos = 8;

/** What a session asks of the server that keeps it. */
export interface SessionHost {
  /** Finds out who the client is and calls `welcome`. */
  onHello(session: Session, hello: Hello, requestId: number): void;
  onClientInfo(session: Session, client: ClientRecord, info: ClientInfo): void;
  onSignOfLife(client: ClientRecord): void;
  onClose(session: Session, reason: string): void;
}

export interface SessionOptions extends ConnectionContext {
  /** A peer that says no Hello within this time is not a client. */
  readonly helloTimeoutMs: number;
  readonly fanOut: FanOut;
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
  readonly #helloTimer: NodeJS.Timeout;
  #client: ClientRecord | undefined;
  #channel: StreamChannel | undefined;
  #cursor: Cursor | undefined;
  #hasHeader = false;
  #hellos = 0;

  constructor(options: SessionOptions, host: SessionHost) {
    this.#host = host;
    this.connection = new Connection(options, {
      onMessage: (message) => this.#handlers.get(message.type)?.(message),
      onClose: (reason) => this.#onClose(reason),
    });
    this.path = options.fanOut.attach(this.connection);
    const { helloTimeoutMs } = options;
    this.#helloTimer = setTimeout(
      () => this.close(`no Hello within ${helloTimeoutMs} ms`),
      helloTimeoutMs,
    );
  }

  get state(): 'greeting' | 'streaming' | 'closed' {
    if (this.connection.isClosed) return 'closed';
    return this.#client ? 'streaming' : 'greeting';
  }

  get client(): ClientRecord | undefined {
    return this.#client;
  }

  get channel(): StreamChannel | undefined {
    return this.#channel;
  }

  /** Answers the Hello `requestId`; from here on the session belongs to `client`. */
  welcome(client: ClientRecord, settings: ServerSettings, requestId: number): void {
    clearTimeout(this.#helloTimer);
    this.#leaveChannel();
    this.#client = client;
    this.connection.send(encodeServerSettings(settings, requestId));
  }

  /** Plays `channel`: its codec header first, then its audio unless the client is to hear none. */
  play(channel: StreamChannel | undefined, isAudible: boolean): void {
    if (this.connection.isClosed) return;
    if (channel !== this.#channel) {
      this.#leaveChannel();
      this.#channel = channel;
    }
    if (!this.#hasHeader) {
      const header = channel?.codecHeaderMessage();
      if (!header) return;
      this.connection.send(header);
      this.#hasHeader = true;
    }
    if (isAudible) this.#cursor ??= channel?.subscribe(this.path);
    else this.#unsubscribe();
  }

  close(reason: string): void {
    this.connection.close(reason);
  }

  readonly #handlers: ReadonlyMap<number, (message: IncomingMessage) => void> = new Map([
    [messageType.hello, (message) => this.#onHello(message)],
    [messageType.time, (message) => this.#onTime(message)],
    [messageType.clientInfo, (message) => this.#onClientInfo(message)],
  ]);

  #onHello(message: IncomingMessage): void {
    this.#hellos += 1;
    if (this.#hellos > maxHellos) {
      throw new ProtocolError('many-hellos', `more than ${maxHellos} Hellos on one connection`);
    }
    this.#host.onHello(this, decodeHello(message.body), message.id);
  }

  #onTime(message: IncomingMessage): void {
    const { id: requestId, receivedUs, sentUs } = message;
    const latencyUs = receivedUs - sentUs;
    this.connection.send(encodeTimeReply({ requestId, receivedUs, latencyUs }));
    if (this.#client) this.#host.onSignOfLife(this.#client);
  }

  #onClientInfo(message: IncomingMessage): void {
    if (!this.#client) return;
    this.#host.onClientInfo(this, this.#client, decodeClientInfo(message.body));
  }

  #onClose(reason: string): void {
    clearTimeout(this.#helloTimer);
    this.#leaveChannel();
    this.path.detach();
    this.#host.onClose(this, reason);
  }

  #leaveChannel(): void {
    this.#unsubscribe();
    this.#channel = undefined;
    this.#hasHeader = false;
  }

  #unsubscribe(): void {
    if (this.#cursor) this.#channel?.unsubscribe(this.#cursor);
    this.#cursor = undefined;
  }
}
