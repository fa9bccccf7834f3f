import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { failureOf } from '../base/net/connection-failure.ts';
import { addressOf } from '../base/net/remote-address.ts';
import {
  type ControlMessage,
  type ControlPeer,
  type ControlPeerContext,
  type ControlPeerHandler,
  maxBytesBeforeLogin,
  maxLingerMs,
} from './control-peer.ts';
import { IncompleteRequest, maxRequestMs } from './incomplete-request.ts';
import { maxUnreadBytes, RequestFlow } from './request-flow.ts';

/**
 * Pings in a row without an answer, at three pings per peer timeout. A proxy in front keeps the
 * connection of a browser that is gone: only the browser itself answers pings.
 */
const maxMissedPongs = 2;
const pingsPerTimeout = 3;
/** Bytes of a frame that are no payload, from a client. Source: RFC 6455, 5.2. */
const smallHeaderBytes = 6;
/** The headers of all frames of a message, see `maxFragments`. */
const maxFramingBytes = 1024;

const textFrame = { binary: false, compress: false };
/** Source: RFC 6455, 7.4.1, and the registry of codes at IANA. */
const closeCode = { goingAway: 1001, policyViolation: 1008, tooBig: 1009, tryAgainLater: 1013 };

/** One JSON text per message on a WebSocket. Source: protocol reference, 9.1. */
export class WebSocketControlPeer implements ControlPeer {
  readonly transport = 'WebSocket';
  readonly remoteAddress: string;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #context: ControlPeerContext;
  readonly #flow: RequestFlow;
  readonly #incomplete: IncompleteRequest;
  /** Of a request that is not complete, and of those that one read of the socket has completed. */
  #begunBytes = 0;
  #completedBytes = 0;
  /** What one read of the socket has completed, hardly ever more than one. */
  readonly #texts: string[] = [];
  readonly #pingTimer: NodeJS.Timeout;
  #handler: ControlPeerHandler | undefined;
  #missedPongs = 0;
  #isClosed = false;

  /** Shape: `webSocket` answers pings by itself; `socket` is the one below it. */
  constructor(webSocket: WebSocket, socket: Socket, context: ControlPeerContext) {
    const { limits, budget } = context;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#context = context;
    this.remoteAddress = addressOf(socket);
    this.#incomplete = new IncompleteRequest({
      budget,
      isReading: () => this.#flow.isReading,
      onOverdue: () =>
        this.#refuse(
          closeCode.policyViolation,
          `a message was not complete within ${maxRequestMs} ms`,
        ),
    });
    this.#flow = new RequestFlow({
      turns: context.turns,
      maxUnreadBytes: () => maxUnreadBytes(limits.maxQueuedBytes),
      next: () => this.#texts.shift(),
      onText: (text) => this.#handler?.onText(text),
      onDry: () => {},
      queuedBytes: () => this.queuedBytes,
      setReading: (isReading) => (isReading ? webSocket.resume() : webSocket.pause()),
    });
    webSocket.on('error', (error) => this.#close(`protocol violation: ${error.message}`, true));
    // What `ws` makes of it is an end like any other.
    socket.on('error', (error) => this.#finish(failureOf(error), false));
    webSocket.on('close', () => this.#finish('closed by the peer', false));
    webSocket.on('pong', (data) => {
      this.#onSignOfLife();
      this.#completedBytes += data.length + smallHeaderBytes;
    });
    this.#pingTimer = setInterval(
      () => this.#ping(),
      context.settings().peerTimeoutMs / pingsPerTimeout,
    );
    this.#pingTimer.unref();
  }

  get queuedBytes(): number {
    return this.#socket.destroyed ? 0 : this.#webSocket.bufferedAmount;
  }

  open(handler: ControlPeerHandler): void {
    this.#handler = handler;
    this.#webSocket.on('message', (data) => this.#receive(data));
    this.#webSocket.on('ping', (data) => {
      this.#completedBytes += data.length + smallHeaderBytes;
    });
    // Behind the listener of `ws`, which keeps what is not complete and does not say how much.
    this.#socket.on('data', (data) => this.#onRead(data.length));
    // Node looks whether anything of a write was taken in the meantime, too.
    this.#socket.setTimeout(this.#context.settings().peerTimeoutMs, () => this.#onSilence());
  }

  send(message: ControlMessage): void {
    if (this.#isClosed) return;
    const { maxQueuedBytes } = this.#context.limits;
    if (this.queuedBytes > maxQueuedBytes) {
      this.#abort(`does not read: more than ${maxQueuedBytes} bytes are waiting`);
    } else {
      this.#webSocket.send(message.bytes, textFrame, () => this.#flow.drained());
    }
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

  #receive(data: RawData): void {
    if (this.#isClosed) return;
    this.#onSignOfLife();
    const bytes = bytesOf(data);
    this.#completedBytes += bytes.length + smallHeaderBytes;
    this.#incomplete.complete();
    if (bytes.length > this.#maxMessageBytes) {
      this.#refuseLength();
      return;
    }
    // Programs made for TCP end each text with a line ending here as well.
    const text = bytes.toString('utf8').trimEnd();
    if (text === '') return;
    this.#texts.push(text);
    // Later, as `ws` tells of all frames of one read in one go.
    queueMicrotask(() => this.#flow.arrived());
  }

  get #maxMessageBytes(): number {
    const { maxRequestBytes } = this.#context.limits;
    if (this.#handler?.isLoggedIn) return maxRequestBytes;
    return Math.min(maxRequestBytes, maxBytesBeforeLogin);
  }

  /** Reckons what `ws` still keeps: all that came but for what was completed, and its headers. */
  #onRead(bytes: number): void {
    if (this.#isClosed) return;
    this.#begunBytes += bytes;
    if (this.#completedBytes > 0) {
      const rest = Math.max(0, this.#begunBytes - this.#completedBytes);
      // What is left can only have come with this read.
      this.#begunBytes = Math.min(rest, bytes);
      this.#completedBytes = 0;
    }
    if (this.#begunBytes > this.#maxMessageBytes + maxFramingBytes) this.#refuseLength();
    else if (!this.#incomplete.hold(this.#begunBytes)) {
      const reason = 'too many requests are incomplete: no memory for this one';
      this.#refuse(closeCode.tryAgainLater, reason);
    }
  }

  #refuseLength(): void {
    const reason = `protocol violation: a message of more than ${this.#maxMessageBytes} bytes`;
    this.#refuse(closeCode.tooBig, reason);
  }

  /** Silence is what most controllers are for; but what waits for them they take. */
  #onSilence(): void {
    if (this.#isClosed || this.queuedBytes === 0) return;
    const { peerTimeoutMs } = this.#context.settings();
    this.#abort(`took nothing of what waits for it for ${peerTimeoutMs} ms`);
  }

  #onSignOfLife(): void {
    this.#missedPongs = 0;
  }

  #ping(): void {
    // While we do not want to hear requests, we cannot hear pongs either. And who still reads what
    // waits for it gets to the ping later: such a peer is judged by whether it takes anything.
    if (!this.#flow.isReading || this.#flow.isPaused || this.queuedBytes > 0) return;
    if (this.#missedPongs >= maxMissedPongs) {
      this.#abort(`does not answer: ${maxMissedPongs} pings were in vain`);
      return;
    }
    this.#missedPongs += 1;
    this.#webSocket.ping();
  }

  #close(reason: string, isFault: boolean): void {
    if (this.#isClosed) return;
    const webSocket = this.#webSocket;
    webSocket.close(closeCode.goingAway);
    // To hear the answer to the close frame.
    webSocket.resume();
    const timer = setTimeout(() => webSocket.terminate(), maxLingerMs).unref();
    webSocket.once('close', () => clearTimeout(timer));
    this.#finish(reason, isFault);
  }

  /** Says why, and hears nothing more: what `ws` has kept so far is not going to grow. */
  #refuse(code: number, reason: string): void {
    if (this.#isClosed) return;
    const socket = this.#socket;
    socket.removeAllListeners('data');
    this.#webSocket.close(code);
    socket.resume();
    const timer = setTimeout(() => this.#webSocket.terminate(), maxLingerMs).unref();
    this.#webSocket.once('close', () => clearTimeout(timer));
    this.#finish(reason, true);
  }

  #abort(reason: string): void {
    this.#webSocket.terminate();
    this.#finish(reason, true);
  }

  #finish(reason: string, isFault: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flow.stop();
    this.#incomplete.end();
    clearInterval(this.#pingTimer);
    this.#handler?.onClose(reason, isFault);
  }
}

function bytesOf(data: RawData): Buffer {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : data;
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
}
