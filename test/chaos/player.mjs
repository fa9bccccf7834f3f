import { connect } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { WebSocket } from 'ws';
import { Listening } from './listening.mjs';
import { hello, MessageCutter, timeRequest } from './wire.mjs';

const timeIntervalMs = 1000;

/**
 * One scripted player, over TCP or as a browser, by TLS or without, that checks all that it hears.
 *
 * Shape: `onProblem(text)` is told of each broken rule, `onClosed()` that the connection is gone,
 * whoever ended it.
 */
export class Player {
  id;
  listening;
  isClosed = false;
  isConnected = false;
  socket;
  #options;
  #webSocket;
  #cutter;
  #timer;
  #messageId = 1;
  #isHalfClosed = false;

  constructor(options) {
    this.#options = options;
    this.id = options.id;
    this.listening = new Listening(options);
    this.#cutter = new MessageCutter((...parts) => this.listening.take(...parts));
    const { host = '127.0.0.1', port, webSocketPort, securePort, localAddress } = options;
    const { isBrowser = false, isSecure = false } = options;
    const browserPort = isSecure ? securePort : webSocketPort;
    this.socket = connect({
      host,
      port: isBrowser ? browserPort : port,
      noDelay: true,
      allowHalfOpen: true,
      ...(localAddress && { localAddress }),
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.#finish());
    if (isBrowser) this.#openWebSocket(isSecure);
    else this.#openTcp();
  }

  /** Sends a message of the protocol. */
  send(bytes) {
    if (this.isClosed || this.#isHalfClosed) return;
    if (!this.#webSocket) this.socket.write(bytes);
    else if (this.#webSocket.readyState === WebSocket.OPEN) this.#webSocket.send(bytes);
  }

  /** Ends without a word: the server gets a reset. */
  reset() {
    this.socket.resetAndDestroy();
  }

  close() {
    this.socket.destroy();
  }

  halfClose() {
    this.#isHalfClosed = true;
    this.socket.end();
  }

  /** Asks for nothing any more, as one that has lost its network. */
  fallSilent() {
    clearInterval(this.#timer);
  }

  pause() {
    this.socket.pause();
  }

  resume() {
    if (!this.isClosed) this.socket.resume();
  }

  #openTcp() {
    this.socket.on('connect', () => this.#greet());
    this.socket.on('data', (data) => this.#feed(data));
    this.socket.on('end', () => this.socket.end());
  }

  #openWebSocket(isSecure) {
    const { socket } = this;
    const createConnection = () =>
      isSecure ? connectSecurely({ socket, rejectUnauthorized: false }) : socket;
    const url = `${isSecure ? 'wss' : 'ws'}://127.0.0.1/stream`;
    this.#webSocket = new WebSocket(url, { createConnection });
    this.#webSocket.on('open', () => this.#greet());
    this.#webSocket.on('message', (frame) => this.#feed(frame));
    this.#webSocket.on('error', () => {});
  }

  #greet() {
    this.isConnected = true;
    this.send(hello(this.id, this.#messageId));
    this.#timer = setInterval(() => this.#askTime(), timeIntervalMs);
  }

  #askTime() {
    this.#messageId = (this.#messageId % 60_000) + 1;
    this.send(timeRequest(this.#messageId));
  }

  #feed(data) {
    try {
      this.#cutter.feed(data);
    } catch (error) {
      this.#options.onProblem(`player ${this.id}: ${error.message}`);
      this.close();
    }
  }

  #finish() {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.#timer);
    this.#options.onClosed?.(this);
  }
}
