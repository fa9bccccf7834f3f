import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';

/** The longest that any answer may take, on a machine that is busy with all this. */
export const answerLimitMs = 10_000;

/** A controller in good order, over TCP or WebSocket, that insists on answers. */
export class Controller {
  notifications = 0;
  longestMs = 0;
  isClosed = false;
  #write;
  #end;
  #rest = '';
  #lastId = 0;
  #waiting = new Map();

  static async overTcp(port, host = '127.0.0.1') {
    const socket = connect({ port, host, noDelay: true });
    const controller = new Controller({
      write: (text) => socket.write(`${text}\r\n`),
      end: () => socket.destroy(),
    });
    socket.setEncoding('utf8').on('data', (text) => controller.#takeText(text));
    socket.on('error', () => {});
    socket.on('close', () => controller.#close());
    await once(socket, 'connect');
    return controller;
  }

  static async overWebSocket(port) {
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}/jsonrpc`);
    const controller = new Controller({
      write: (text) => webSocket.send(text),
      end: () => webSocket.terminate(),
    });
    webSocket.on('message', (data) => controller.#takeMessage(data.toString()));
    webSocket.on('error', () => {});
    webSocket.on('close', () => controller.#close());
    await once(webSocket, 'open');
    return controller;
  }

  constructor({ write, end }) {
    this.#write = write;
    this.#end = end;
  }

  /**
   * Resolves with the answer: `{ result }` or `{ error }`.
   *
   * Failure: rejects when none comes in time.
   */
  async ask(method, params) {
    this.#lastId += 1;
    const id = this.#lastId;
    const startMs = performance.now();
    const answered = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`no answer to ${method} within ${answerLimitMs} ms`));
      }, answerLimitMs);
      this.#waiting.set(id, { resolve, reject, timer });
    });
    if (this.isClosed) this.#close();
    else this.#write(JSON.stringify({ id, jsonrpc: '2.0', method, params }));
    const answer = await answered;
    this.longestMs = Math.max(this.longestMs, performance.now() - startMs);
    return answer;
  }

  close() {
    this.#end();
  }

  #takeText(text) {
    const lines = (this.#rest + text).split('\r\n');
    this.#rest = lines.pop();
    for (const line of lines) this.#takeMessage(line);
  }

  #takeMessage(text) {
    const message = JSON.parse(text);
    if (message.id === undefined) {
      this.notifications += 1;
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    waiting.resolve(message);
  }

  #close() {
    this.isClosed = true;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Error('the server closed a controller that did no harm'));
    }
    this.#waiting.clear();
  }
}
