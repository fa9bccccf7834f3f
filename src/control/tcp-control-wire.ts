import type { Socket } from 'node:net';
import { failureOf } from '../base/net/connection-failure.ts';
import { LineReader } from '../base/net/line-reader.ts';
import {
  ControlMessage,
  type ControlPeer,
  type ControlWire,
  type RequestRefusal,
} from './control-peer.ts';
import { errorText } from './rpc-answers.ts';
import { parseError } from './rpc-errors.ts';

/** What controllers wait for behind each message. Source: protocol reference, 9.1. */
const lineEnd = Buffer.from('\r\n');
const httpRequestLine = /^[A-Z]+ \S+ HTTP\/\d/;
/** A connection that has come to its end and stands still is not waited for any longer. */
const maxStandstillMs = 1000;

/** One JSON text per line on a plain socket. Source: protocol reference, 9.1. */
export class TcpControlWire implements ControlWire {
  readonly transport = 'TCP';
  readonly unit = 'line';
  readonly socket: Socket;
  readonly #peer: ControlPeer;
  readonly #reader: LineReader;
  #isOpen = false;
  #hasEnded = false;

  /** Ownership: `socket`, from which nothing was read yet, is consumed. */
  constructor(socket: Socket, peer: ControlPeer) {
    this.socket = socket;
    this.#peer = peer;
    this.#reader = new LineReader(() => peer.maxRequestBytes);
    // Controllers that have sent all their requests (`echo … | nc`) still read the answers.
    socket.allowHalfOpen = true;
    socket.on('error', (error) => peer.gone(failureOf(error)));
    socket.on('close', () => peer.gone('closed by the peer'));
  }

  get queuedBytes(): number {
    return this.socket.writableLength;
  }

  open(): void {
    const { socket } = this;
    this.#isOpen = true;
    socket.on('data', (data) => this.#receive(data));
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#peer.drained());
    socket.resume();
  }

  /** Only here the reader takes in what has arrived, be it at once or in a later turn. */
  next(): string | undefined {
    const text = this.#reader.next();
    this.#peer.hold(this.#reader.heldBytes);
    // A browser sends what any page gives it: behind the head of a request the page could control us.
    if (text === undefined || !httpRequestLine.test(text)) return text;
    this.#peer.close('protocol violation: a request of HTTP', true);
    return undefined;
  }

  onDry(): void {
    if (this.#reader.isOverlong) {
      const bytes = this.#peer.maxRequestBytes;
      const error = errorText(null, parseError(`a line has at most ${bytes} bytes`));
      this.#peer.send(new ControlMessage(error));
      this.#peer.close(`protocol violation: a line of more than ${bytes} bytes`, true);
    } else if (this.#hasEnded) {
      this.#peer.ended();
    }
  }

  setReading(isReading: boolean): void {
    if (isReading) this.socket.resume();
    else this.socket.pause();
  }

  send(message: ControlMessage): void {
    this.#gather();
    this.socket.write(message.bytes);
    this.socket.write(lineEnd);
  }

  /**
   * Goes on reading: closing upon unread bytes resets the connection, and some systems then drop
   * what they were told before.
   */
  end(refusal?: RequestRefusal): void {
    const { socket } = this;
    if (refusal || !this.#isOpen) {
      socket.destroy();
      return;
    }
    socket.end();
    socket.resume();
    socket.setTimeout(maxStandstillMs, () => socket.destroy());
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** What is sent within one turn of the event loop leaves together. */
  #gather(): void {
    if (this.socket.writableCorked > 0) return;
    this.socket.cork();
    setImmediate(() => this.socket.uncork());
  }

  #receive(data: Buffer): void {
    if (this.#peer.isClosed) return;
    this.#reader.push(data);
    this.#peer.arrived();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    this.#peer.arrived();
  }
}
