import type { Socket } from 'node:net';
import { adoptSocket } from '../adopt-socket.ts';
import type { Clock } from '../clock.ts';
import { messageOf, ProtocolError } from '../errors.ts';
import { type IncomingMessage, MessageReader, serverPolicy } from '../protocol/message-reader.ts';
import { stampSent } from '../protocol/messages.ts';
import { Reservation } from './reservation.ts';

/** What sockets read into: all that arrives is used up before the next socket reads. */
const receiveBuffer = Buffer.allocUnsafeSlow(64 * 1024);
const noBytes = Buffer.alloc(0);

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
  #isReceiving = false;
  #closed = false;

  constructor(context: ConnectionContext, handler: ConnectionHandler) {
    this.#clock = context.clock;
    this.#handler = handler;
    const reader = new MessageReader(serverPolicy, (message) => {
      if (!this.#closed) this.#handler.onMessage(message);
    });
    const socket = adoptSocket(context.socket, {
      buffer: () => receiveBuffer,
      callback: (bytes) => this.#receive(reader, receiveBuffer.subarray(0, bytes)),
    });
    this.#socket = socket;
    this.remoteAddress = displayAddress(socket.remoteAddress);
    socket.on('error', (error) => this.close(`connection failed: ${error.message}`));
    // Whoever says no more is gone: answering a half-closed connection would only fail later.
    socket.on('end', () => this.close(closedByClient(reader)));
    socket.on('close', () => this.close(closedByClient(reader)));
    socket.resume();
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
    this.#waiting.push(message);
    // What one received buffer asks for is answered by one write.
    if (this.#isReceiving && this.#waiting.length < maxWaitingMessages) return;
    this.#writeWaiting();
    if (this.#waiting.length > maxWaitingMessages) {
      this.close(`asks without reading: ${maxWaitingMessages} replies are waiting`);
    }
  }

  /**
   * Hands audio to the socket; the caller holds the reservation, and this ends it.
   *
   * Returns true when the kernel has taken all of it at once, the usual case. Otherwise `audio`
   * must stay unchanged until `written` is called, and the caller then calls `audioWritten`.
   */
  writeAudio(audio: Buffer, written: () => void): boolean {
    this.#socket.write(audio);
    const isTaken = this.#isTaken(written);
    if (isTaken) this.reservation.letGo();
    return isTaken;
  }

  /** Ends an audio write that took longer: waiting messages go next. */
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

  /** Returns whether to go on reading. */
  #receive(reader: MessageReader, data: Buffer): boolean {
    if (this.#closed) return false;
    this.#isReceiving = true;
    try {
      reader.feed(data, this.#clock.nowUs());
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close(`protocol violation: ${messageOf(error)}`);
    }
    this.#isReceiving = false;
    this.#writeWaiting();
    return !this.#closed;
  }

  #writeWaiting(): void {
    if (this.#waiting.length === 0 || this.#closed || this.#busySinceUs !== undefined) return;
    if (!this.reservation.tryRaise()) return;
    this.#socket.cork();
    for (const message of this.#waiting) {
      stampSent(message, this.#clock.nowUs());
      this.#socket.write(message);
    }
    this.#socket.uncork();
    this.#waiting.length = 0;
    if (this.#isTaken(this.#controlWritten)) this.reservation.lower();
  }

  /** Whether the kernel has taken all that was written; otherwise `written` is called when it has. */
  #isTaken(written: () => void): boolean {
    if (this.#socket.writableLength === 0) return true;
    // An empty write behind it tells the end: a callback on every write would double what Node
    // allocates per write (test/bench/results.md, "heap").
    this.#busySinceUs = this.#clock.nowUs();
    this.#socket.write(noBytes, written);
    return false;
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
