import type { Socket } from 'node:net';
import { LineReader } from '../protocol/line-reader.ts';
import { addressOf } from '../transport/remote-address.ts';
import {
  ControlMessage,
  type ControlPeer,
  type ControlPeerHandler,
  maxLingerMs,
  maxQueuedBytes,
} from './control-peer.ts';
import { RequestFlow } from './request-flow.ts';
import { errorText } from './rpc-answers.ts';
import { parseError } from './rpc-errors.ts';

/**
 * The longest request by TCP: `Group.SetClients` with all known clients stays far below, and larger
 * ones are refused by HTTP as well. Source: protocol reference, 9.1.
 */
export const maxLineBytes = 1024 * 1024;
/** What controllers wait for behind each message. Source: protocol reference, 9.1. */
const lineEnd = Buffer.from('\r\n');
const httpRequestLine = /^[A-Z]+ \S+ HTTP\/\d/;
/** A connection that has come to its end and stands still is not waited for any longer. */
const maxStandstillMs = 1000;

const overlongLine = new ControlMessage(
  errorText(null, parseError(`a line has at most ${maxLineBytes} bytes`)),
);

/** One JSON text per line on a plain socket. Source: protocol reference, 9.1. */
export class TcpControlPeer implements ControlPeer {
  readonly transport = 'TCP';
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #reader = new LineReader({ maxBytes: maxLineBytes });
  readonly #flow: RequestFlow;
  #handler: ControlPeerHandler | undefined;
  #hasEnded = false;
  #isClosed = false;

  /** Ownership: `socket`, from which nothing was read yet, is consumed. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.remoteAddress = addressOf(socket);
    this.#flow = new RequestFlow({
      next: () => this.#reader.next(),
      onText: (text) => this.#onText(text),
      onDry: () => this.#onDry(),
      queuedBytes: () => this.queuedBytes,
      setReading: (isReading) => void (isReading ? socket.resume() : socket.pause()),
    });
    // Whoever has sent all its requests (`echo … | nc`) still reads the answers.
    socket.allowHalfOpen = true;
    socket.on('error', (error) => this.#abort(`connection failed: ${error.message}`, false));
    socket.on('close', () => this.#abort('closed by the peer', false));
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  open(handler: ControlPeerHandler): void {
    this.#handler = handler;
    const socket = this.#socket;
    socket.on('data', (data) => this.#receive(data));
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#flow.drained());
    socket.resume();
  }

  send(message: ControlMessage): void {
    if (this.#isClosed) return;
    if (this.queuedBytes > maxQueuedBytes) {
      this.#abort(`does not read: more than ${maxQueuedBytes} bytes are waiting`, true);
    } else {
      this.#gather();
      this.#socket.write(message.bytes);
      this.#socket.write(lineEnd);
    }
  }

  /** What is sent within one turn of the event loop leaves together. */
  #gather(): void {
    if (this.#socket.writableCorked > 0) return;
    this.#socket.cork();
    setImmediate(() => this.#socket.uncork());
  }

  pause(): void {
    this.#flow.pause();
  }

  resume(): void {
    this.#flow.resume();
  }

  close(reason: string): void {
    this.#close(reason, false);
  }

  /** A browser sends what any page gives it: behind the head of a request the page could control us. */
  #onText(text: string): void {
    if (httpRequestLine.test(text)) this.#close('protocol violation: a request of HTTP', true);
    else this.#handler?.onText(text);
  }

  #receive(data: Buffer): void {
    if (this.#isClosed) return;
    this.#reader.push(data);
    this.#flow.arrived();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    this.#flow.arrived();
  }

  #onDry(): void {
    if (this.#reader.isOverlong) {
      this.send(overlongLine);
      this.#close(`protocol violation: a line of more than ${maxLineBytes} bytes`, true);
    } else if (this.#hasEnded) {
      this.#handler?.onEnd();
    }
  }

  #close(reason: string, isFault: boolean): void {
    if (this.#isClosed) return;
    if (this.#handler) this.#linger();
    else this.#socket.destroy();
    this.#finish(reason, isFault);
  }

  /**
   * Goes on reading: closing upon unread bytes resets the connection, and some systems then drop
   * what they were told before.
   */
  #linger(): void {
    const socket = this.#socket;
    socket.end();
    socket.resume();
    socket.setTimeout(maxStandstillMs, () => socket.destroy());
    const timer = setTimeout(() => socket.destroy(), maxLingerMs).unref();
    socket.once('close', () => clearTimeout(timer));
  }

  #abort(reason: string, isFault: boolean): void {
    this.#socket.destroy();
    this.#finish(reason, isFault);
  }

  #finish(reason: string, isFault: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flow.stop();
    this.#handler?.onClose(reason, isFault);
  }
}
