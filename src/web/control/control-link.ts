import { signal } from '@preact/signals';

/** A request unanswered for this long has failed. */
const requestTimeoutMs = 10_000;
const firstRetryMs = 500;
const maxRetryMs = 5000;

export interface Notification {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What the server has answered instead of a result. */
export class RefusedError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** The server cannot be reached, or does not answer. */
export class AwayError extends Error {}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

interface ControlLinkOptions {
  readonly url: string;
  /** The connection is there (again): what was known may be out of date. */
  readonly onOpen: () => void;
  readonly onNotification: (notification: Notification) => void;
}

/** JSON-RPC with the server; connects again by itself, for as long as the page lives. */
export class ControlLink {
  readonly isOpen = signal(false);
  readonly isStopped = signal(false);
  readonly #options: ControlLinkOptions;
  readonly #waiting = new Map<number, Waiting>();
  #socket: WebSocket | undefined;
  #nextId = 1;
  #retryMs = firstRetryMs;

  constructor(options: ControlLinkOptions) {
    this.#options = options;
    this.#connect();
    // A network that comes back, or a page that is looked at again, is not kept waiting.
    globalThis.addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#hurry();
    });
  }

  /** Failure: rejects with a `RefusedError` when the server refuses, with an `AwayError` when it is away. */
  request(method: string, params: object = {}): Promise<unknown> {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN)
      return Promise.reject(new AwayError('not connected'));
    const id = this.#nextId;
    this.#nextId += 1;
    socket.send(JSON.stringify({ id, jsonrpc: '2.0', method, params }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new AwayError('the server does not answer'));
      }, requestTimeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
    });
  }

  /** Connects anew, and goes on doing so; what is waited for is lost. */
  restart(): void {
    this.stop();
    this.isStopped.value = false;
    this.#retryMs = firstRetryMs;
    this.#connect();
  }

  /** Ends the connection until `restart`: the server wants a login that is not there. */
  stop(): void {
    const socket = this.#socket;
    this.isStopped.value = true;
    clearTimeout(this.#retryTimer);
    socket?.close();
    if (socket) this.#onClose(socket);
    this.#socket = undefined;
  }

  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  #connect(): void {
    clearTimeout(this.#retryTimer);
    const socket = new WebSocket(this.#options.url);
    this.#socket = socket;
    socket.addEventListener('open', () => {
      if (socket !== this.#socket) return;
      this.#retryMs = firstRetryMs;
      this.isOpen.value = true;
      this.#options.onOpen();
    });
    socket.addEventListener('message', ({ data }) => {
      if (socket === this.#socket) this.#onText(String(data));
    });
    socket.addEventListener('close', () => this.#onClose(socket));
  }

  #hurry(): void {
    this.#retryMs = firstRetryMs;
    if (this.#socket?.readyState === WebSocket.CLOSED) this.#connect();
  }

  #onClose(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.isOpen.value = false;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new AwayError('the connection was lost'));
    }
    this.#waiting.clear();
    if (this.isStopped.peek()) return;
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, maxRetryMs);
  }

  #onText(text: string): void {
    const message: unknown = JSON.parse(text);
    for (const part of Array.isArray(message) ? message : [message]) this.#onMessage(part);
  }

  #onMessage(message: {
    readonly id?: number;
    readonly method?: string;
    readonly params?: Notification['params'];
    readonly result?: unknown;
    readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
  }): void {
    const { id, method, params = {}, result, error } = message;
    if (method !== undefined) {
      this.#options.onNotification({ method, params });
      return;
    }
    const waiting = this.#waiting.get(id ?? 0);
    if (!waiting) return;
    this.#waiting.delete(id ?? 0);
    clearTimeout(waiting.timer);
    if (error) waiting.reject(new RefusedError(error.code, error.message, error.data));
    else waiting.resolve(result);
  }
}
