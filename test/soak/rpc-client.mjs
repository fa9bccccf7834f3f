import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** Longer than any server that is well takes for an answer. */
const answerLimitMs = 20_000;

/** A controller on the TCP port. */
export class RpcClient {
  #socket;
  #pending = new Map();
  #lastId = 0;
  /** Messages that answer nothing. */
  notifications = 0;

  static async connect(port) {
    const client = new RpcClient(connect({ port, host: '127.0.0.1', noDelay: true }));
    await once(client.#socket, 'connect');
    return client;
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => this.#take(line));
  }

  /**
   * Resolves to the answer, which may be an error.
   *
   * Failure: rejects when none comes in time.
   */
  ask(method, params) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`a controller got no answer to ${method}`));
      }, answerLimitMs);
      this.#pending.set(id, { resolve, timer });
      this.#socket.write(`${JSON.stringify({ id, jsonrpc: '2.0', method, params })}\r\n`);
    });
  }

  /** Ends the connection in order. */
  end() {
    this.#socket.end();
    this.#socket.destroySoon();
  }

  /** Breaks it. */
  reset() {
    this.#socket.resetAndDestroy();
  }

  #take(line) {
    const message = JSON.parse(line);
    const pending = this.#pending.get(message.id);
    if (!pending) {
      this.notifications += 1;
      return;
    }
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    pending.resolve(message);
  }
}
