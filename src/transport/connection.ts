import type { Socket } from 'node:net';
import { type Clock, monotonicClock } from '../base/clock.ts';
import { messageOf, ProtocolError } from '../base/errors.ts';
import { descriptorOf, kernelDescriptorOf } from '../base/net/adopt-socket.ts';
import { failureOf } from '../base/net/connection-failure.ts';
import { addressOf } from '../base/net/remote-address.ts';
import { type IncomingMessage, MessageReader, serverPolicy } from '../protocol/message-reader.ts';
import { stampSent } from '../protocol/messages.ts';
import type { Framing, Link } from './link.ts';
import { Reservation } from './reservation.ts';

const noBytes = Buffer.alloc(0);

/** Replies that may wait for one peer: only a peer that asks without reading gets there. */
const maxWaitingMessages = 256;

export interface ConnectionContext {
  readonly link: Link;
  readonly clock: Clock;
}

interface ConnectionHandler {
  /** Failure: a `ProtocolError` thrown from here closes the connection. */
  onMessage(message: IncomingMessage): void;
  /** Called exactly once, with the reason in words. */
  onClose(reason: string): void;
}

/** What comes out of a socket that `DirectSocket` reads. */
export interface DirectInput {
  received(messages: Buffer, receivedUs: number): void;
  /** Replies of which the kernel took only a part; until the rest is out the reservation is held. */
  cut(rest: Buffer): void;
  /** The peer says no more. */
  ended(): void;
  failed(reason: string): void;
}

/** A shorter way into the socket and out of it than Node's. */
export interface DirectSocket {
  /** Sends one small message: returns the bytes that the kernel took at once, or a negative error number. */
  write(message: Buffer): number;
  /**
   * Reads in the place of Node from now on, and answers Time requests if it `answers`, in which case
   * nothing else is told of them. Returns false when it cannot.
   */
  read(input: DirectInput, answers: boolean): boolean;
  /** Leaves Time requests to the input from now on. */
  stopAnswering(): void;
  /** When the newest request came that it has answered; 0 before the first. */
  readonly answeredUs: number;
  /** What the clock of the peer showed when it sent that request. */
  readonly askedUs: number;
}

/**
 * One peer, over TCP or WebSocket: bytes in, messages out.
 *
 * Small messages go through a control lane that audio never overtakes: at most one audio batch is
 * under way when a reply is written, and the reply is stamped right then.
 */
export class Connection {
  readonly remoteAddress: string;
  readonly reservation = new Reservation();
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #handler: ConnectionHandler;
  readonly #reader: MessageReader;
  readonly #waiting: Buffer[] = [];
  #waitingAnswer: Buffer | undefined;
  #direct: DirectSocket | undefined;
  #busySinceUs: number | undefined;
  #isReceiving = false;
  #closed = false;

  constructor({ link, clock }: ConnectionContext, handler: ConnectionHandler) {
    this.#link = link;
    this.#clock = clock;
    this.#handler = handler;
    this.#reader = new MessageReader(serverPolicy, (message) => {
      if (!this.#closed) this.#handler.onMessage(message);
    });
    this.remoteAddress = addressOf(link.socket);
  }

  /** Begins to read. */
  open(): void {
    if (!this.#readDirectly()) this.#readByLink();
    const socket = this.#socket;
    socket.on('error', (error) => this.close(failureOf(error)));
    // A peer that says no more is gone: answering a half-closed connection would only fail later.
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onEnd());
    this.#awaitEarlierWrites();
  }

  get framing(): Framing {
    return this.#link.framing;
  }

  /** The socket for native code; −1 when there is none, or none that may be written to. */
  get descriptor(): number {
    return descriptorOf(this.#socket);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Since when a write has been waiting for the peer to take it; `undefined` while none does. */
  get busySinceUs(): number | undefined {
    return this.#busySinceUs;
  }

  /** When the newest Time request came that was answered without this connection; 0 before the first. */
  get answeredUs(): number {
    return this.#direct?.answeredUs ?? 0;
  }

  /** What the clock of the peer showed when it sent that request. */
  get askedUs(): number {
    return this.#direct?.askedUs ?? 0;
  }

  /** Of the socket in the kernel, below any TLS, for those who only look; −1 when it is not known. */
  get kernelDescriptor(): number {
    return kernelDescriptorOf(this.#socket);
  }

  /** What waits in this process for the socket to take it. */
  get unwrittenBytes(): number {
    return this.#socket.writableLength;
  }

  /** Before `open`: lets bytes take a shorter way than Node's, which costs more than the kernel does. */
  use(direct: DirectSocket): void {
    this.#direct = direct;
  }

  /** From now on Time requests are messages like any other. */
  stopAnswering(): void {
    this.#direct?.stopAnswering();
  }

  /**
   * Sends one message: at once, or right after the audio batch that is under way.
   *
   * Ownership: the connection keeps the buffer and stamps it when it is written.
   */
  send(message: Buffer): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    // What one received buffer asks for is answered by one write.
    if (this.#isReceiving && this.#waiting.length < maxWaitingMessages) return;
    this.#writeWaiting();
    if (this.#waiting.length > maxWaitingMessages) {
      this.close(`asks without reading: ${maxWaitingMessages} replies are waiting`);
    }
  }

  /**
   * Hands audio, framed as `framing` says, to the socket; the caller holds the reservation, and
   * this ends it.
   *
   * Returns true when the kernel has taken all of it at once, the usual case. Otherwise `audio`
   * must stay unchanged until `written` is called, and the caller then calls `audioWritten`.
   */
  writeAudio(audio: Buffer, written: () => void): boolean {
    this.#socket.write(audio);
    const isTaken = this.#isTaken(written);
    if (isTaken) this.reservation.release();
    return isTaken;
  }

  /** Ends an audio write that took longer: waiting messages go next. */
  audioWritten(): void {
    this.#busySinceUs = undefined;
    this.reservation.release();
    this.#writeWaiting();
  }

  /** Ends the connection; what the kernel did not take yet is dropped. */
  close(reason: string): void {
    this.#end(reason, false);
  }

  #end(reason: string, isViolation: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.length = 0;
    this.#waitingAnswer = undefined;
    this.#sayFarewell(isViolation);
    this.#socket.destroy();
    this.#handler.onClose(reason);
  }

  /** Best effort: a peer to which something is under way will see the end all the same. */
  #sayFarewell(isViolation: boolean): void {
    const farewell = this.#link.farewell(isViolation);
    if (!farewell || !this.#socket.writable || this.#busySinceUs !== undefined) return;
    if (!this.reservation.tryRaise()) return;
    this.#socket.write(farewell);
    this.reservation.lower();
  }

  #onEnd(): void {
    const place = this.#reader.isMidMessage ? ' in the middle of a message' : '';
    this.close(`closed by the client${place}`);
  }

  #onViolation(fault: string): void {
    this.#end(`protocol violation: ${fault}`, true);
  }

  get #socket(): Socket {
    return this.#link.socket;
  }

  /** Requests are answered by the clock of the machine: one that was set up differently needs us. */
  #readDirectly(): boolean {
    if (!this.#direct || this.framing !== 'tcp') return false;
    const isOurClock = this.#clock === monotonicClock;
    const input: DirectInput = {
      received: (messages, receivedUs) => {
        this.#isReceiving = true;
        this.#receive(messages, isOurClock ? receivedUs : this.#clock.nowUs());
        this.#finishReceiving();
      },
      cut: (rest) => {
        if (this.writeAudio(rest, () => this.audioWritten())) this.#writeWaiting();
      },
      ended: () => this.#onEnd(),
      failed: (reason) => this.close(reason),
    };
    return this.#direct.read(input, isOurClock);
  }

  #readByLink(): void {
    this.#link.open({
      begin: () => {
        this.#isReceiving = true;
      },
      receive: (messages) => this.#receive(messages, this.#clock.nowUs()),
      finish: () => this.#finishReceiving(),
      answer: (frame) => this.#answer(frame),
      ended: () => this.#onEnd(),
      violated: (fault) => this.#onViolation(fault),
    });
  }

  /** What was written before the connection began, such as the answer to an upgrade, goes first. */
  #awaitEarlierWrites(): void {
    if (this.#socket.writableLength === 0) return;
    this.reservation.tryRaise();
    this.#isTaken(this.#controlWritten);
  }

  #receive(messages: Buffer, receivedUs: number): void {
    if (this.#closed) return;
    try {
      this.#reader.feed(messages, receivedUs);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#onViolation(messageOf(error));
    }
  }

  #finishReceiving(): boolean {
    this.#isReceiving = false;
    this.#writeWaiting();
    return !this.#closed;
  }

  #answer(frame: Buffer): void {
    if (this.#closed) return;
    this.#waitingAnswer = frame;
    if (!this.#isReceiving) this.#writeWaiting();
  }

  #writeWaiting(): void {
    const isWanted = this.#waiting.length > 0 || this.#waitingAnswer !== undefined;
    if (!isWanted || this.#closed || this.#busySinceUs !== undefined) return;
    if (!this.reservation.tryRaise()) return;
    if (!this.#writeDirectly()) this.#writeByNode();
    this.#waitingAnswer = undefined;
    this.#waiting.length = 0;
    if (this.#isTaken(this.#controlWritten)) this.reservation.lower();
  }

  /** The usual case: the kernel takes it at once. What it does not take, Node gets. */
  #writeDirectly(): boolean {
    if (!this.#direct || this.framing !== 'tcp') return false;
    const nowUs = this.#clock.nowUs();
    for (const message of this.#waiting) stampSent(message, nowUs);
    const [first = noBytes] = this.#waiting;
    const messages = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting);
    const taken = Math.max(0, this.#direct.write(messages));
    if (taken < messages.length) this.#socket.write(messages.subarray(taken));
    return true;
  }

  #writeByNode(): void {
    this.#socket.cork();
    if (this.#waitingAnswer) this.#socket.write(this.#waitingAnswer);
    for (const message of this.#waiting) this.#write(message);
    this.#socket.uncork();
  }

  #write(message: Buffer): void {
    const header = this.#link.headerOf(message);
    if (header) this.#socket.write(header);
    stampSent(message, this.#clock.nowUs());
    this.#socket.write(message);
  }

  /** Whether the kernel has taken all that was written; otherwise `written` is called when it has. */
  #isTaken(written: () => void): boolean {
    if (this.#socket.writableLength === 0) return true;
    // An empty write behind it tells the end: a callback on every write would double what Node
    // allocates per write (test/bench/results.md, "heap").
    this.#busySinceUs = this.#clock.nowUs();
    this.#socket.write(noBytes, written);
    return false;
  }

  readonly #controlWritten = (): void => {
    this.#busySinceUs = undefined;
    this.reservation.lower();
    this.#writeWaiting();
  };
}
