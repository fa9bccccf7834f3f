import { messageType } from '../../protocol/layout.ts';
import type { TimeExchange } from './server-clock.ts';
import {
  jsonMessage,
  type PlayerSettings,
  readCodecHeader,
  readError,
  readMessage,
  readSettings,
  readWireChunk,
  type ServerMessage,
  timeRequest,
} from './stream-wire.ts';

const helloId = 2;
const firstRetryMs = 300;
const maxRetryMs = 3000;
/** So that who comes back is found again within about half of the time that it was away. */
const retryGrowth = 1.5;
/** A server that says nothing for so long, though it was asked so often, is gone. */
const silenceMs = 5000;
const maxUnheard = 4;
/** How often the time is asked for: at first, while it matters, and ever after. */
const askMs = { first: 60, often: 300, seldom: 1000 };
const firstQuestions = 12;
const oftenMs = 10_000;
const maxOpenQuestions = 50;
const maxId = 9999;

export interface StreamHello {
  readonly MAC: string;
  readonly HostName: string;
  readonly Version: string;
  readonly ClientName: string;
  readonly OS: string;
  readonly Arch: string;
  readonly Instance: number;
  readonly ID: string;
  readonly SnapStreamProtocolVersion: number;
  readonly Auth?: { readonly scheme: string; readonly param: string };
}

interface StreamLinkOptions {
  readonly url: string;
  readonly hello: () => StreamHello;
  readonly onTime: (exchange: TimeExchange) => void;
  readonly onSettings: (settings: PlayerSettings) => void;
  readonly onCodecHeader: (codec: string, header: Uint8Array<ArrayBuffer>) => void;
  readonly onChunk: (timestampMs: number, payload: Uint8Array<ArrayBuffer>) => void;
  /** The server does not let this player in; the link has ended. */
  readonly onRefusal: (refusal: { readonly code: number; readonly name: string }) => void;
  /** The connection was lost; the next attempt follows by itself. */
  readonly onLoss: () => void;
}

/** The binary protocol by WebSocket; connects again by itself until it is closed. */
export class StreamLink {
  readonly #options: StreamLinkOptions;
  /** When each question that is not answered yet was asked. */
  readonly #questions = new Map<number, number>();
  #socket: WebSocket | undefined;
  #isClosed = false;
  #id = helloId;
  #retryMs = firstRetryMs;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #askTimer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #oftenUntilMs = 0;
  #heardMs = 0;
  /** How often the time was asked for since the server said anything: a page may have been asleep. */
  #unheard = 0;

  constructor(options: StreamLinkOptions) {
    this.#options = options;
    this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  /** Does at once what would be done soon: connects, or asks for the time often again. */
  hurry(): void {
    if (this.#isClosed) return;
    this.#oftenUntilMs = performance.now() + oftenMs;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#ask();
    else if (this.#socket === undefined) this.#connect();
  }

  /** Tells the server what was set here. */
  report(info: { readonly volume: number; readonly muted: boolean }): void {
    this.#send(jsonMessage({ type: messageType.clientInfo, id: 0 }, info));
  }

  #connect(): void {
    clearTimeout(this.#retryTimer);
    const socket = new WebSocket(this.#options.url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    // A host that is away does not refuse; the browser would wait for minutes.
    this.#askTimer = setTimeout(() => this.#lose(socket), silenceMs);
    socket.addEventListener('open', () => this.#greet(socket));
    socket.addEventListener('message', ({ data }) => this.#receive(socket, data));
    socket.addEventListener('close', () => this.#lose(socket));
  }

  #greet(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#id = helloId;
    this.#heardMs = performance.now();
    this.#unheard = 0;
    this.#asked = 0;
    this.#oftenUntilMs = performance.now() + oftenMs;
    this.#send(jsonMessage({ type: messageType.hello, id: helloId }, this.#options.hello()));
    this.#ask();
  }

  #ask(): void {
    clearTimeout(this.#askTimer);
    const nowMs = performance.now();
    if (this.#unheard >= maxUnheard && nowMs - this.#heardMs > silenceMs) {
      this.#lose(this.#socket);
      return;
    }
    this.#unheard += 1;
    this.#id = this.#id === maxId ? 1 : this.#id + 1;
    this.#asked += 1;
    this.#questions.set(this.#id, nowMs);
    if (this.#questions.size > maxOpenQuestions) {
      this.#questions.delete(this.#questions.keys().next().value ?? 0);
    }
    this.#send(timeRequest(this.#id));
    const laterMs = nowMs < this.#oftenUntilMs ? askMs.often : askMs.seldom;
    const waitMs = this.#asked < firstQuestions ? askMs.first : laterMs;
    this.#askTimer = setTimeout(() => this.#ask(), waitMs);
  }

  #receive(socket: WebSocket, frame: ArrayBuffer): void {
    // The end of the old connection may be heard when there is a new one.
    if (socket !== this.#socket) return;
    const receivedMs = performance.now();
    this.#heardMs = receivedMs;
    this.#unheard = 0;
    try {
      const message = readMessage(frame);
      this.#byType[message.type]?.(message, receivedMs);
    } catch (error) {
      // A fault in one message is no reason to stop the others.
      if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
    }
  }

  readonly #byType: Readonly<Record<number, (message: ServerMessage, receivedMs: number) => void>> =
    {
      [messageType.time]: ({ refersTo, receivedMs: serverReceivedMs, sentMs }, receivedMs) => {
        const askedMs = this.#questions.get(refersTo);
        if (askedMs === undefined) return;
        this.#questions.delete(refersTo);
        this.#options.onTime({
          sentMs: askedMs,
          serverReceivedMs,
          serverSentMs: sentMs,
          receivedMs,
        });
      },
      [messageType.serverSettings]: ({ body }) => {
        this.#retryMs = firstRetryMs;
        this.#options.onSettings(readSettings(body));
      },
      [messageType.codecHeader]: ({ body }) => {
        const { codec, header } = readCodecHeader(body);
        this.#options.onCodecHeader(codec, header);
      },
      [messageType.wireChunk]: ({ body }) => {
        const { timestampMs, payload } = readWireChunk(body);
        this.#options.onChunk(timestampMs, payload);
      },
      [messageType.error]: ({ body }) => {
        this.close();
        this.#options.onRefusal(readError(body));
      },
    };

  #lose(socket: WebSocket | undefined): void {
    if (this.#isClosed || socket === undefined || socket !== this.#socket) return;
    this.#drop();
    this.#options.onLoss();
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(retryGrowth * this.#retryMs, maxRetryMs);
  }

  #drop(): void {
    clearTimeout(this.#askTimer);
    clearTimeout(this.#retryTimer);
    this.#questions.clear();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #send(message: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(message);
  }
}
