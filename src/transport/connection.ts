import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { messageOf, ProtocolError } from '../errors.ts';
import { type IncomingMessage, MessageReader, serverPolicy } from '../protocol/message-reader.ts';
import { stampSent } from '../protocol/messages.ts';
import { Reservation } from './reservation.ts';

/** Replies that may wait for one peer: only a peer that asks without reading gets there. */
const maxWaitingMessages = 256;

export interface ConnectionContext {
  readonly socket: Socket;
  readonly clock: Clock;
}

export interface ConnectionHandler {
  /** Failure: a `ProtocolError` thrown from here closes the connection. */
  onMessage(message: IncomingMessage): void;
  /** Called exactly once, with the reason in words. */
  onClose(reason: string): void;
}

/**
 * One TCP peer: bytes in, messages out.
 *
 * Small messages go through a control lane that audio never overtakes: at most one audio batch is
 * under way when a reply is written, and the reply is stamped right then.
 */
export class Connection {
  readonly remoteAddress: string;
  readonly reservation = new Reservation();
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #handler: ConnectionHandler;
  readonly #waiting: Buffer[] = [];
  #busySinceUs: number | undefined;
  #closed = false;

  constructor(context: ConnectionContext, handler: ConnectionHandler) {
    const { socket, clock } = context;
    this.#socket = socket;
    this.#clock = clock;
    this.#handler = handler;
    this.remoteAddress = displayAddress(socket.remoteAddress);
    const reader = new MessageReader(serverPolicy, (message) => {
      if (!this.#closed) this.#handler.onMessage(message);
    });
    socket.on('data', (data: Buffer) => this.#receive(reader, data));
    socket.on('error', (error) => this.close(`connection failed: ${error.message}`));
    // Whoever says no more is gone: answering a half-closed connection would only fail later.
    socket.on('end', () => this.close(closedByClient(reader)));
    socket.on('close', () => this.close(closedByClient(reader)));
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Since when a write has been waiting for the peer to take it; `undefined` while none does. */
  get busySinceUs(): number | undefined {
    return this.#busySinceUs;
  }

  /**
   * Sends one message: at once, or right after the audio batch that is under way.
   *
   * Ownership: the connection keeps the buffer and stamps it when it is written.
   */
  send(message: Buffer): void {
    if (this.#closed) return;
    if (this.#waiting.length === maxWaitingMessages) {
      this.close(`asks without reading: ${maxWaitingMessages} replies are waiting`);
      return;
    }
    this.#waiting.push(message);
    this.#writeWaiting();
  }

  /**
   * Hands audio to the socket; the caller holds the reservation.
   *
   * Ownership: `audio` must stay unchanged until `written` is called. The caller then ends its
   * own use and calls `audioWritten`.
   */
  writeAudio(audio: Buffer, written: () => void): void {
    this.#busySinceUs = this.#clock.nowUs();
    this.#socket.write(audio, written);
  }

  /** Ends an audio write: gives the reservation back and lets waiting messages go. */
  audioWritten(): void {
    this.#busySinceUs = undefined;
    this.reservation.letGo();
    this.#writeWaiting();
  }

  /** Ends the connection; what the kernel did not take yet is dropped. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.length = 0;
    this.#socket.destroy();
    this.#handler.onClose(reason);
  }

  #receive(reader: MessageReader, data: Buffer): void {
    if (this.#closed) return;
    try {
      reader.feed(data, this.#clock.nowUs());
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close(`protocol violation: ${messageOf(error)}`);
    }
  }

  #writeWaiting(): void {
    if (this.#waiting.length === 0 || this.#closed || this.#busySinceUs !== undefined) return;
    if (!this.reservation.tryRaise()) return;
    this.#busySinceUs = this.#clock.nowUs();
    const batch = this.#waiting.splice(0);
    this.#socket.cork();
    for (const [index, message] of batch.entries()) {
      stampSent(message, this.#clock.nowUs());
      if (index < batch.length - 1) this.#socket.write(message);
      else this.#socket.write(message, this.#controlWritten);
    }
    this.#socket.uncork();
  }

  readonly #controlWritten = (): void => {
    this.#busySinceUs = undefined;
    this.reservation.lower();
    this.#writeWaiting();
  };
}

function closedByClient(reader: MessageReader): string {
  const place = reader.isMidMessage ? ' in the middle of a message' : '';
  return `closed by the client${place}`;
}

/** Plain IPv4 addresses of dual-stack sockets are shown as such. */
function displayAddress(address: string | undefined): string {
  return (address ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
}
