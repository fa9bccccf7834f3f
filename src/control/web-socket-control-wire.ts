import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { failureOf } from '../base/net/connection-failure.ts';
import { closeCode } from '../protocol/web-socket-frame.ts';
import type { ControlMessage, ControlPeer, ControlWire, RequestRefusal } from './control-peer.ts';

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
const refusalCodes: Readonly<Record<RequestRefusal, number>> = {
  overdue: 1008,
  'too long': 1009,
  'no memory': 1013,
};

/** One JSON text per message on a WebSocket. Source: protocol reference, 9.1. */
export class WebSocketControlWire implements ControlWire {
  readonly transport = 'WebSocket';
  readonly unit = 'message';
  readonly socket: Socket;
  readonly #webSocket: WebSocket;
  readonly #peer: ControlPeer;
  /** Of a request that is not complete, and of those that one read of the socket has completed. */
  #begunBytes = 0;
  #completedBytes = 0;
  /** What one read of the socket has completed, hardly ever more than one. */
  readonly #texts: string[] = [];
  #missedPongs = 0;

  /** Shape: `webSocket` answers pings by itself; `socket` is the one below it. */
  constructor(webSocket: WebSocket, socket: Socket, peer: ControlPeer) {
    this.#webSocket = webSocket;
    this.socket = socket;
    this.#peer = peer;
    webSocket.on('error', (error) => peer.close(`protocol violation: ${error.message}`, true));
    // What `ws` makes of it is an end like any other.
    socket.on('error', (error) => peer.gone(failureOf(error)));
    webSocket.on('close', () => peer.gone('closed by the peer'));
    webSocket.on('pong', (data) => {
      this.#missedPongs = 0;
      this.#completedBytes += data.length + smallHeaderBytes;
    });
  }

  get queuedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  open(peerTimeoutMs: number): void {
    const webSocket = this.#webSocket;
    webSocket.on('message', (data) => this.#receive(data));
    webSocket.on('ping', (data) => {
      this.#completedBytes += data.length + smallHeaderBytes;
    });
    // Behind the listener of `ws`, which keeps what is not complete and does not say how much.
    this.socket.on('data', (data) => this.#onRead(data.length));
    const pingTimer = setInterval(() => this.#ping(), peerTimeoutMs / pingsPerTimeout).unref();
    webSocket.once('close', () => clearInterval(pingTimer));
  }

  next(): string | undefined {
    return this.#texts.shift();
  }

  setReading(isReading: boolean): void {
    if (isReading) this.#webSocket.resume();
    else this.#webSocket.pause();
  }

  send(message: ControlMessage): void {
    this.#webSocket.send(message.bytes, textFrame, () => this.#peer.drained());
  }

  end(refusal?: RequestRefusal): void {
    // What `ws` has kept so far of what is refused is not going to grow.
    if (refusal) this.socket.removeAllListeners('data');
    this.#webSocket.close(refusal ? refusalCodes[refusal] : closeCode.goingAway);
    // To hear the answer to the close frame.
    if (refusal) this.socket.resume();
    else this.#webSocket.resume();
  }

  destroy(): void {
    this.#webSocket.terminate();
  }

  #receive(data: RawData): void {
    if (this.#peer.isClosed) return;
    this.#missedPongs = 0;
    const bytes = bytesOf(data);
    this.#completedBytes += bytes.length + smallHeaderBytes;
    this.#peer.completed();
    if (bytes.length > this.#peer.maxRequestBytes) {
      this.#refuseLength();
      return;
    }
    // Programs made for TCP end each text with a line ending here as well.
    const text = bytes.toString('utf8').trimEnd();
    if (text === '') return;
    this.#texts.push(text);
    // Later, as `ws` tells of all frames of one read in one go.
    queueMicrotask(() => this.#peer.arrived());
  }

  /** Reckons what `ws` still keeps: all that came but for what was completed, and its headers. */
  #onRead(bytes: number): void {
    if (this.#peer.isClosed) return;
    this.#begunBytes += bytes;
    if (this.#completedBytes > 0) {
      const rest = Math.max(0, this.#begunBytes - this.#completedBytes);
      // What is left can only have come with this read.
      this.#begunBytes = Math.min(rest, bytes);
      this.#completedBytes = 0;
    }
    if (this.#begunBytes > this.#peer.maxRequestBytes + maxFramingBytes) this.#refuseLength();
    else this.#peer.hold(this.#begunBytes);
  }

  #refuseLength(): void {
    const reason = `protocol violation: a message of more than ${this.#peer.maxRequestBytes} bytes`;
    this.#peer.close(reason, true, 'too long');
  }

  #ping(): void {
    // While we do not want to hear requests, we cannot hear pongs either. And a peer that still
    // reads what waits for it gets to the ping later: it is judged by whether it takes anything.
    if (!this.#peer.isListening || this.#peer.queuedBytes > 0) return;
    if (this.#missedPongs >= maxMissedPongs) {
      this.#peer.abort(`does not answer: ${maxMissedPongs} pings were in vain`);
      return;
    }
    this.#missedPongs += 1;
    this.#webSocket.ping();
  }
}

function bytesOf(data: RawData): Buffer {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : data;
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
}
