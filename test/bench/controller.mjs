import { once } from 'node:events';
import { connect } from 'node:net';

/** A controller on the TCP port that counts what it is told. */
export class Controller {
  /** Notifications since the start, by method. */
  received = new Map();
  receivedBytes = 0;
  #socket;
  #rest = [];
  #answers = new Map();
  #lastId = 0;

  static async connect(port) {
    const controller = new Controller(connect({ port, host: '127.0.0.1', noDelay: true }));
    await once(controller.#socket, 'connect');
    return controller;
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (data) => this.#receive(data));
  }

  /** Units: `roundTripMs` from the write to the last byte of the answer. */
  async ask(method) {
    const id = ++this.#lastId;
    const answered = new Promise((resolve) => this.#answers.set(id, resolve));
    const start = performance.now();
    this.#socket.write(`{"id":${id},"jsonrpc":"2.0","method":"${method}"}\r\n`);
    const { line, atMs } = await answered;
    return { roundTripMs: atMs - start, bytes: line.length, result: JSON.parse(line).result };
  }

  close() {
    this.#socket.destroy();
  }

  #receive(data) {
    const atMs = performance.now();
    this.receivedBytes += data.length;
    const parts = data.toString('latin1').split('\r\n');
    this.#rest.push(parts[0]);
    for (const part of parts.slice(1)) {
      this.#take(this.#rest.join(''), atMs);
      this.#rest = [part];
    }
  }

  #take(line, atMs) {
    // Only the head is looked at: to parse everything here would disturb what is measured.
    const id = /^\{"id":(\d+)/.exec(line)?.[1];
    if (id !== undefined) {
      this.#answers.get(Number(id))?.({ line, atMs });
      this.#answers.delete(Number(id));
      return;
    }
    const method = /"method":"([^"]+)"/.exec(line.slice(0, 100))?.[1] ?? 'unknown';
    this.received.set(method, (this.received.get(method) ?? 0) + 1);
  }
}
