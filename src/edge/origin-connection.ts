import { connect, type Socket } from 'node:net';
import { arch, hostname } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { ProtocolError } from '../base/errors.ts';
import { failureOf } from '../base/net/connection-failure.ts';
import { packageVersion } from '../base/version.ts';
import { messageType } from '../protocol/layout.ts';
import { clientPolicy, type IncomingMessage, MessageReader } from '../protocol/message-reader.ts';
import {
  type Credentials,
  decodeTimeLatencyUs,
  type EdgeWish,
  encodeHello,
  encodeTimeRequest,
  stampSent,
} from '../protocol/messages.ts';
import type { ClockExchange } from './clock-discipline.ts';
import type { OriginAddress } from './origin-address.ts';

const helloId = 1;
/** Behind that of the Hello. */
const firstTimeId = 2;
const maxId = 0xffff;
/** Answers that come later than that tell nothing. */
const maxOpenQuestions = 16;
const firstRetryMs = 100;
const maxRetryMs = 2000;
/** Each second it is asked for the time, and an origin that says nothing for so long is gone. */
const heartbeatMs = 1000;
const maxSilenceMs = 3000;

export interface OriginConnectionOptions {
  readonly address: OriginAddress;
  /** By which messages are stamped. */
  readonly clock: Clock;
  readonly wish: () => EdgeWish;
  readonly credentials?: Credentials | undefined;
  /** Failure: what it throws ends the connection, which is then tried again. */
  readonly onMessage: (message: IncomingMessage) => void;
  /** The connection has ended, or could not be made. */
  readonly onDown: (reason: string) => void;
}

/** A connection to an origin as its player, which is made again whenever it ends. */
export class OriginConnection {
  readonly #options: OriginConnectionOptions;
  #socket: Socket | undefined;
  #retryMs = firstRetryMs;
  #retry: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #heardMs = 0;
  #timeId = firstTimeId;
  /** When was asked what is not answered yet, by its id. */
  readonly #askedUs = new Map<number, number>();
  #isClosed = false;

  constructor(options: OriginConnectionOptions) {
    this.#options = options;
  }

  /** Begins to connect. */
  open(): void {
    if (this.#isClosed || this.#socket) return;
    const { address, clock, onMessage } = this.#options;
    const reader = new MessageReader(clientPolicy, (message) => {
      if (this.#socket !== socket) return;
      // Who is refused is refused again.
      if (message.type !== messageType.error) this.#retryMs = firstRetryMs;
      onMessage(message);
    });
    const socket = connect({ ...address, noDelay: true });
    this.#socket = socket;
    this.#heardMs = performance.now();
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    socket.on('connect', () => this.#greet());
    socket.on('data', (data: Buffer) => {
      this.#heardMs = performance.now();
      try {
        reader.feed(data, clock.nowUs());
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.drop(error.message);
      }
    });
    socket.on('error', (error) => this.#fail(socket, failureOf(error)));
    socket.on('close', () => this.#fail(socket, 'closed by the origin'));
  }

  /** The address of the peer, while there is one. */
  get peer(): string | undefined {
    return this.#socket?.remoteAddress;
  }

  /** Nothing while it is not connected. */
  send(message: Buffer): void {
    const socket = this.#socket;
    if (!socket || socket.connecting || socket.destroyed) return;
    stampSent(message, this.#options.clock.nowUs());
    socket.write(message);
  }

  /** Asks for the time; the answer is a message. */
  askTime(): void {
    this.#timeId = this.#timeId < maxId ? this.#timeId + 1 : firstTimeId;
    for (const id of this.#askedUs.keys()) {
      if (this.#askedUs.size < maxOpenQuestions) break;
      this.#askedUs.delete(id);
    }
    this.#askedUs.set(this.#timeId, Math.round(this.#options.clock.nowUs()));
    this.send(encodeTimeRequest(this.#timeId));
  }

  /** What an answer about the time tells; `undefined` when it is none to us. */
  exchangeOf({ refersTo, body, sentUs, receivedUs }: IncomingMessage): ClockExchange | undefined {
    const askedUs = this.#askedUs.get(refersTo);
    if (askedUs === undefined) return undefined;
    this.#askedUs.delete(refersTo);
    const arrivedAtOriginUs = askedUs + decodeTimeLatencyUs(body);
    return {
      askedUs,
      receivedUs: arrivedAtOriginUs,
      answeredUs: sentUs,
      arrivedUs: receivedUs,
    };
  }

  /** Ends what there is, to begin anew. */
  drop(reason: string): void {
    if (this.#socket) this.#fail(this.#socket, reason);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#end();
  }

  #greet(): void {
    const { wish, credentials } = this.#options;
    const edge = wish();
    const hello = {
      mac: '00:00:00:00:00:00',
      hostName: hostname(),
      version: packageVersion,
      clientName: 'Zerocast edge',
      os: process.platform,
      arch: arch(),
      instance: 1,
      id: `edge-${edge.name}`,
      protocolVersion: 2,
      edge,
      ...(credentials && { auth: credentials }),
    };
    this.send(encodeHello(hello, helloId));
  }

  #beat(): void {
    const silentMs = performance.now() - this.#heardMs;
    if (silentMs > maxSilenceMs) this.drop(`the origin said nothing for ${maxSilenceMs} ms`);
    else this.askTime();
  }

  #fail(socket: Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#end();
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => this.open(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, maxRetryMs);
    this.#options.onDown(reason);
  }

  #end(): void {
    clearInterval(this.#heartbeat);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#askedUs.clear();
    socket?.destroy();
  }
}
