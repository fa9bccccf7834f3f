import { signal } from '@preact/signals';
import { ServerClock } from '../player/server-clock.ts';

type JsonObject = Readonly<Record<string, unknown>>;

const firstRetryMs = 500;
const maxRetryMs = 5000;
/** Watches that follow each other, as while one scrolls, are one. */
const gatherMs = 50;
/** How often the time is asked for: at first, and ever after. */
const askMs = { first: 60, seldom: 5000 };
const firstQuestions = 10;

interface LiveLinkOptions {
  readonly url: string;
  /** For servers with logins. */
  readonly login?: () => { readonly scheme: string; readonly param: string } | undefined;
}

/**
 * What the server shows to those who look: connected as long as some part of the page wants
 * something, and the page is seen.
 */
export class LiveLink {
  /** The server does not let this page look. */
  readonly isRefused = signal(false);
  /** That of the server, once it is known. */
  #clock = new ServerClock();
  readonly #options: LiveLinkOptions;
  /** Members of the watch, by the part of the page that wants them. */
  readonly #wants = new Map<string, JsonObject>();
  readonly #onText = new Map<string, (value: unknown) => void>();
  readonly #onFrame = new Map<number, (frame: ArrayBuffer) => void>();
  #socket: WebSocket | undefined;
  #retryMs = firstRetryMs;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #watchTimer: ReturnType<typeof setTimeout> | undefined;
  #askTimer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor(options: LiveLinkOptions) {
    this.#options = options;
    document.addEventListener('visibilitychange', () => this.#review());
  }

  get clock(): ServerClock {
    return this.#clock;
  }

  /** What `part` wants to watch, in place of what it wanted before; `undefined`: nothing any more. */
  want(part: string, members: JsonObject | undefined): void {
    if (members) this.#wants.set(part, members);
    else this.#wants.delete(part);
    this.#watchTimer ??= setTimeout(() => {
      this.#watchTimer = undefined;
      this.#review();
      this.#watch();
    }, gatherMs);
  }

  /** Tries at once; also where it was refused, as another user may have logged in. */
  hurry(): void {
    this.#retryMs = firstRetryMs;
    this.isRefused.value = false;
    this.#review();
  }

  /** Has texts with this member handed to `listener`. */
  onText(member: string, listener: (value: unknown) => void): void {
    this.#onText.set(member, listener);
  }

  /** Has binary messages of this kind handed to `listener`, which may throw a `RangeError`. */
  onFrame(kind: number, listener: (frame: ArrayBuffer) => void): void {
    this.#onFrame.set(kind, listener);
  }

  /** Left out while there is no connection. */
  send(request: JsonObject): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(request));
  }

  #review(): void {
    const isSeen = document.visibilityState === 'visible';
    const isWanted = this.#wants.size > 0 && isSeen && !this.isRefused.peek();
    if (isWanted && !this.#socket) this.#connect();
    if (!isWanted) this.#drop();
  }

  #connect(): void {
    clearTimeout(this.#retryTimer);
    const socket = new WebSocket(this.#options.url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.addEventListener('open', () => {
      if (socket !== this.#socket) return;
      this.#retryMs = firstRetryMs;
      this.#asked = 0;
      const login = this.#options.login?.();
      if (login) this.send({ login });
      this.#ask();
      this.#watch();
    });
    socket.addEventListener('message', ({ data }) => {
      if (socket === this.#socket) this.#receive(data);
    });
    socket.addEventListener('close', () => {
      if (socket !== this.#socket) return;
      this.#drop();
      this.#retryTimer = setTimeout(() => this.#review(), this.#retryMs);
      this.#retryMs = Math.min(2 * this.#retryMs, maxRetryMs);
    });
  }

  #drop(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#askTimer);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    // The next one may be another server.
    this.#clock = new ServerClock();
  }

  #watch(): void {
    this.send({ watch: Object.assign({}, ...this.#wants.values()) });
  }

  #ask(): void {
    clearTimeout(this.#askTimer);
    this.send({ time: performance.now() });
    this.#asked += 1;
    const waitMs = this.#asked < firstQuestions ? askMs.first : askMs.seldom;
    this.#askTimer = setTimeout(() => this.#ask(), waitMs);
  }

  #receive(data: unknown): void {
    const receivedMs = performance.now();
    try {
      if (data instanceof ArrayBuffer) {
        this.#onFrame.get(new DataView(data).getUint8(0))?.(data);
        return;
      }
      const message = JSON.parse(String(data)) as JsonObject | null;
      if (typeof message !== 'object' || message === null) return;
      if ('time' in message) this.#takeTime(message, receivedMs);
      if ('error' in message) this.#takeError(message.error);
      for (const [member, value] of Object.entries(message)) this.#onText.get(member)?.(value);
    } catch (error) {
      // A fault in one message is no reason to stop the others.
      if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
    }
  }

  #takeTime({ time, serverUs }: JsonObject, receivedMs: number): void {
    const serverMs = Number(serverUs) / 1000;
    this.#clock.take({
      sentMs: Number(time),
      serverReceivedMs: serverMs,
      serverSentMs: serverMs,
      receivedMs,
    });
  }

  #takeError(error: unknown): void {
    if (Object(error).request !== 'login') return;
    this.isRefused.value = true;
    this.#review();
  }
}
