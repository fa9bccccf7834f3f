import type { Socket } from 'node:net';
import { failureOf } from '../base/net/connection-failure.ts';
import { LineReader } from '../base/net/line-reader.ts';
import { addressOf } from '../base/net/remote-address.ts';
import {
  ControlMessage,
  type ControlPeer,
  type ControlPeerContext,
  type ControlPeerHandler,
  maxBytesBeforeLogin,
  maxLingerMs,
} from './control-peer.ts';
import { IncompleteRequest, maxRequestMs } from './incomplete-request.ts';
import { maxUnreadBytes, RequestFlow } from './request-flow.ts';
import { errorText } from './rpc-answers.ts';
import { parseError } from './rpc-errors.ts';

/** What controllers wait for behind each message. Source: protocol reference, 9.1. */
const lineEnd = Buffer.from('\r\n');
const httpRequestLine = /^[A-Z]+ \S+ HTTP\/\d/;
/** A connection that has come to its end and stands still is not waited for any longer. */
const maxStandstillMs = 1000;

/** One JSON text per line on a plain socket. Source: protocol reference, 9.1. */
export class TcpControlPeer implements ControlPeer {
  readonly transport = 'TCP';
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #context: ControlPeerContext;
  readonly #reader: LineReader;
  readonly #flow: RequestFlow;
  readonly #incomplete: IncompleteRequest;
  #handler: ControlPeerHandler | undefined;
  #hasEnded = false;
  #isClosed = false;

  /** Ownership: `socket`, from which nothing was read yet, is consumed. */
  constructor(socket: Socket, context: ControlPeerContext) {
    this.#socket = socket;
    this.#context = context;
    this.remoteAddress = addressOf(socket);
    const maxBytes = () => this.#maxLineBytes;
    this.#reader = new LineReader({
      get maxBytes() {
        return maxBytes();
      },
    });
    this.#incomplete = new IncompleteRequest({
      budget: context.budget,
      isReading: () => this.#flow.isReading,
      onOverdue: () => this.#abort(`a line was not complete within ${maxRequestMs} ms`, true),
    });
    this.#flow = new RequestFlow({
      turns: context.turns,
      next: () => this.#next(),
      maxUnreadBytes: () => maxUnreadBytes(context.limits.maxQueuedBytes),
      onText: (text) => this.#onText(text),
      onDry: () => this.#onDry(),
      queuedBytes: () => this.queuedBytes,
      setReading: (isReading) => void (isReading ? socket.resume() : socket.pause()),
    });
    // Whoever has sent all its requests (`echo … | nc`) still reads the answers.
    socket.allowHalfOpen = true;
    socket.on('error', (error) => this.#abort(failureOf(error), false));
    socket.on('close', () => this.#abort('closed by the peer', false));
  }

  get queuedBytes(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  open(handler: ControlPeerHandler): void {
    this.#handler = handler;
    const socket = this.#socket;
    socket.on('data', (data) => this.#receive(data));
    socket.on('end', () => this.#onEnd());
    socket.on('drain', () => this.#flow.drained());
    // Node looks whether anything of a write was taken in the meantime, too.
    socket.setTimeout(this.#context.settings().peerTimeoutMs, () => this.#onSilence());
    socket.resume();
  }

  send(message: ControlMessage): void {
    if (this.#isClosed) return;
    const { maxQueuedBytes } = this.#context.limits;
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

  /** Source: protocol reference, 9.1: `Group.SetClients` with all known clients stays far below. */
  get #maxLineBytes(): number {
    const { maxRequestBytes } = this.#context.limits;
    if (this.#handler?.isLoggedIn) return maxRequestBytes;
    return Math.min(maxRequestBytes, maxBytesBeforeLogin);
  }

  /** Only here the reader takes in what has arrived, be it at once or in a later turn. */
  #next(): string | undefined {
    const text = this.#reader.next();
    if (!this.#incomplete.hold(this.#reader.heldBytes)) {
      this.#abort('too many requests are incomplete: no memory for this one', true);
    }
    return text;
  }

  #receive(data: Buffer): void {
    if (this.#isClosed) return;
    this.#reader.push(data);
    this.#flow.arrived();
  }

  /** Silence is what most controllers are for; but what waits for them they take. */
  #onSilence(): void {
    if (this.queuedBytes === 0) return;
    const { peerTimeoutMs } = this.#context.settings();
    this.#abort(`took nothing of what waits for it for ${peerTimeoutMs} ms`, true);
  }

  #onEnd(): void {
    this.#hasEnded = true;
    this.#flow.arrived();
  }

  #onDry(): void {
    if (this.#reader.isOverlong) {
      const bytes = this.#maxLineBytes;
      this.send(
        new ControlMessage(errorText(null, parseError(`a line has at most ${bytes} bytes`))),
      );
      this.#close(`protocol violation: a line of more than ${bytes} bytes`, true);
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
    this.#incomplete.end();
    this.#handler?.onClose(reason, isFault);
  }
}
