import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { ControlInbox, type ControlMessage } from './control-inbox.ts';
import type { ServerStatus } from './server-status.ts';

const messageEnd = '\r\n';
/** Longer than any server that is well takes for an answer. */
const usualAnswerLimitMs = 20_000;

export interface ControlClientOptions {
  readonly host?: string;
  readonly transport?: 'TCP' | 'WebSocket';
  /** Whether all that comes is kept and looked at; absent: it is. Notifications are counted anyway. */
  readonly keeps?: boolean;
  readonly answerLimitMs?: number;
}

export interface Answer extends Pick<ControlMessage, 'result' | 'error'> {
  /** From the write to the last byte of the answer. */
  readonly roundTripMs: number;
  readonly bytes: number;
}

/** Only the head of what is long is looked at: to parse all of it would disturb what is measured. */
function idOf(text: string): number {
  if (text.startsWith('{"error":')) return Number((JSON.parse(text) as ControlMessage).id);
  return Number(/^\{"id":(\d+)/.exec(text)?.[1]);
}

interface Waiting {
  readonly method: string;
  readonly startMs: number;
  readonly timer: NodeJS.Timeout;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * A controller: it says exactly what a test tells it to, or asks and insists on answers.
 *
 * As python-snapcast, which is the strictest of all, it takes only CR LF for the end of a message.
 */
export class ControlClient {
  readonly socket: Socket;
  readonly inbox = new ControlInbox();
  /** Every byte that came. */
  readonly raw: Buffer[] = [];
  /** How many notifications came, by method. */
  readonly notified = new Map<string, number>();
  receivedBytes = 0;
  /** How long the slowest answer took. */
  longestMs = 0;
  hasEnded = false;
  isClosed = false;
  readonly #webSocket: WebSocket | undefined;
  readonly #keeps: boolean;
  readonly #answerLimitMs: number;
  readonly #waiting = new Map<number, Waiting>();
  /** The pieces of the last message, which has not ended yet. */
  #rest: string[] = [];
  #lastId = 0;

  static async connect(port: number, options: ControlClientOptions = {}): Promise<ControlClient> {
    const client = new ControlClient(port, options);
    await (client.#webSocket ? once(client.#webSocket, 'open') : once(client.socket, 'connect'));
    return client;
  }

  private constructor(port: number, options: ControlClientOptions) {
    const { host = '127.0.0.1', transport = 'TCP', keeps = true } = options;
    this.#keeps = keeps;
    this.#answerLimitMs = options.answerLimitMs ?? usualAnswerLimitMs;
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('end', () => {
      this.hasEnded = true;
      this.#giveUp();
    });
    socket.on('close', () => {
      this.isClosed = true;
      this.#giveUp();
    });
    if (transport === 'TCP') {
      socket.on('data', (data: Buffer) => this.#receive(data));
      return;
    }
    const url = `ws://${host}:${port}/jsonrpc`;
    this.#webSocket = new WebSocket(url, { createConnection: () => socket });
    this.#webSocket.on('error', () => {});
    this.#webSocket.on('message', (data: Buffer) => {
      this.receivedBytes += data.length;
      this.#take(data.toString(), performance.now());
    });
  }

  /** Sends these bytes and no others; over a WebSocket as one frame. */
  send(text: string): void {
    if (this.#webSocket) this.#webSocket.send(text);
    else this.socket.write(text);
  }

  /**
   * Resolves with the answer, which may be an error.
   *
   * Failure: rejects when none comes in time or the connection ends.
   */
  ask(method: string, params?: object): Promise<Answer> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`no answer to ${method} within ${this.#answerLimitMs} ms`));
      }, this.#answerLimitMs);
      this.#waiting.set(id, { method, startMs: performance.now(), timer, resolve, reject });
      if (this.hasEnded || this.isClosed) this.#giveUp();
      else this.send(JSON.stringify({ id, jsonrpc: '2.0', method, params }) + this.#end);
    });
  }

  /** What a request resulted in. Failure: rejects also when that was an error. */
  async request(method: string, params?: object): Promise<unknown> {
    const { result, error } = await this.ask(method, params);
    if (error) throw new Error(`${method} failed: ${JSON.stringify(error)}`);
    return result;
  }

  async status(): Promise<ServerStatus> {
    const { server } = (await this.request('Server.GetStatus')) as { server: ServerStatus };
    return server;
  }

  /** Says that nothing more will come, and goes on listening. */
  end(): void {
    this.socket.end();
  }

  /** Breaks the connection: the server gets a reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  get #end(): string {
    return this.#webSocket ? '' : messageEnd;
  }

  #receive(data: Buffer): void {
    const atMs = performance.now();
    this.receivedBytes += data.length;
    if (this.#keeps) this.raw.push(data);
    const [first = '', ...others] = data.toString('latin1').split(messageEnd);
    this.#rest.push(first);
    for (const other of others) {
      this.#take(Buffer.from(this.#rest.join(''), 'latin1').toString(), atMs);
      this.#rest = [other];
    }
  }

  #take(text: string, atMs: number): void {
    if (this.#keeps) this.inbox.add(text);
    const id = idOf(text);
    const waiting = this.#waiting.get(id);
    if (waiting) {
      this.#waiting.delete(id);
      clearTimeout(waiting.timer);
      const roundTripMs = atMs - waiting.startMs;
      this.longestMs = Math.max(this.longestMs, roundTripMs);
      const { result, error } = JSON.parse(text) as ControlMessage;
      const bytes = text.length;
      waiting.resolve({ result, roundTripMs, bytes, ...(error && { error }) });
      return;
    }
    const method = /"method":"([^"]+)"/.exec(text.slice(0, 100))?.[1];
    if (method) this.notified.set(method, (this.notified.get(method) ?? 0) + 1);
  }

  #giveUp(): void {
    for (const { method, timer, reject } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Error(`the server ended the connection instead of an answer to ${method}`));
    }
    this.#waiting.clear();
  }
}
