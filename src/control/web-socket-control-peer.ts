import type { RawData, WebSocket } from 'ws';
import { addressOf, type RemoteEnd } from '../transport/remote-address.ts';
import {
  type ControlMessage,
  type ControlPeer,
  type ControlPeerHandler,
  maxLingerMs,
  maxQueuedBytes,
} from './control-peer.ts';
import { RequestFlow } from './request-flow.ts';

/** Browsers vanish without a word when a machine falls asleep. */
const pingIntervalMs = 30_000;
/** Pings in a row without an answer. */
const maxMissedPongs = 2;

const textFrame = { binary: false, compress: false };
/** Source: RFC 6455, 7.4.1. */
const goingAway = 1001;

export interface WebSocketControlPeerOptions {
  /** Absent: 30 seconds. */
  readonly pingIntervalMs?: number;
}

/** One JSON text per message on a WebSocket. Source: protocol reference, 9.1. */
export class WebSocketControlPeer implements ControlPeer {
  readonly transport = 'WebSocket';
  readonly remoteAddress: string;
  readonly #webSocket: WebSocket;
  readonly #flow: RequestFlow;
  /** What one read of the socket has completed, hardly ever more than one. */
  readonly #texts: string[] = [];
  readonly #pingTimer: NodeJS.Timeout;
  #handler: ControlPeerHandler | undefined;
  #missedPongs = 0;
  #isClosed = false;

  /** Shape: `webSocket` answers pings by itself; `socket` is the one below it. */
  constructor(webSocket: WebSocket, socket: RemoteEnd, options: WebSocketControlPeerOptions = {}) {
    this.#webSocket = webSocket;
    this.remoteAddress = addressOf(socket);
    this.#flow = new RequestFlow({
      next: () => this.#texts.shift(),
      onText: (text) => this.#handler?.onText(text),
      onDry: () => {},
      queuedBytes: () => this.queuedBytes,
      setReading: (isReading) => (isReading ? webSocket.resume() : webSocket.pause()),
    });
    webSocket.on('error', (error) => this.#close(`protocol violation: ${error.message}`, true));
    webSocket.on('close', () => this.#finish('closed by the peer', false));
    webSocket.on('pong', () => this.#onSignOfLife());
    this.#pingTimer = setInterval(() => this.#ping(), options.pingIntervalMs ?? pingIntervalMs);
    this.#pingTimer.unref();
  }

  get queuedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  open(handler: ControlPeerHandler): void {
    this.#handler = handler;
    this.#webSocket.on('message', (data) => this.#receive(data));
  }

  send(message: ControlMessage): void {
    if (this.#isClosed) return;
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
    const text = textOf(data);
    if (text === '') return;
    this.#texts.push(text);
    // Later, as `ws` tells of all frames of one read in one go.
    queueMicrotask(() => this.#flow.arrived());
  }

  #onSignOfLife(): void {
    this.#missedPongs = 0;
  }

  #ping(): void {
    // While we do not want to hear requests, we cannot hear pongs either.
    if (this.#flow.isPaused) return;
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
    webSocket.close(goingAway);
    // To hear the answer to the close frame.
    webSocket.resume();
    const timer = setTimeout(() => webSocket.terminate(), maxLingerMs).unref();
    webSocket.once('close', () => clearTimeout(timer));
    this.#finish(reason, isFault);
  }

  #abort(reason: string): void {
    this.#webSocket.terminate();
    this.#finish(reason, true);
  }

  #finish(reason: string, isFault: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flow.stop();
    clearInterval(this.#pingTimer);
    this.#handler?.onClose(reason, isFault);
  }
}

/** Programs made for TCP end each text with a line ending here as well. */
function textOf(data: RawData): string {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : data;
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  return buffer.toString('utf8').trimEnd();
}
