import type { Socket } from 'node:net';
import { addressOf } from '../base/net/remote-address.ts';
import type { LoopShare } from '../base/time/loop-share.ts';
import { IncompleteRequest, maxRequestMs } from './incomplete-request.ts';
import type { RequestBudget } from './request-budget.ts';
import { maxUnreadBytes, RequestFlow } from './request-flow.ts';

/** A controller that has to log in first needs no more for that. */
const maxBytesBeforeLogin = 64 * 1024;
/** After its end a connection stays this long at most, to take what it was told. */
export const maxLingerMs = 5000;

/** One message to control peers, turned into bytes once for all of them. */
export class ControlMessage {
  readonly text: string;
  #bytes: Buffer | undefined;
  #tellsStreams: boolean | undefined;

  constructor(text: string) {
    this.text = text;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text);
    return this.#bytes;
  }

  /** Whether it says what all streams do, as every complete status does. */
  get tellsStreams(): boolean {
    this.#tellsStreams ??= this.text.includes('"streams":[');
    return this.#tellsStreams;
  }
}

/** What a controller can use up. */
export interface ControlLimits {
  /** The longest request. */
  readonly maxRequestBytes: number;
  /** A peer for which more than this is waiting when the next message comes does not read. */
  readonly maxQueuedBytes: number;
}

/** What all peers share. */
export interface ControlPeerContext {
  readonly limits: ControlLimits;
  /** A peer that takes or answers nothing for `peerTimeoutMs`, although it is asked to, is gone. */
  readonly settings: () => { readonly peerTimeoutMs: number };
  readonly budget: RequestBudget;
  readonly turns: LoopShare;
}

interface ControlPeerHandler {
  /** Until then its requests have to be short, see `maxBytesBeforeLogin`. */
  isLoggedIn(): boolean;
  /** One request or batch. */
  onText(text: string): void;
  /** The peer asks nothing more, but reads on; what it has asked was handed on before. */
  onEnd(): void;
  /** Called exactly once, with the reason in words; `isFault` when the peer broke a rule. */
  onClose(reason: string, isFault: boolean): void;
}

/** Why a request is not listened to any more. */
export type RequestRefusal = 'too long' | 'overdue' | 'no memory';

/**
 * What carries the requests and messages of a control peer: a plain socket, or a WebSocket. It tells
 * its peer of the end of the connection from the beginning, and of requests once it is open.
 */
export interface ControlWire {
  readonly transport: 'TCP' | 'WebSocket';
  /** What it calls that which holds one request. */
  readonly unit: 'line' | 'message';
  readonly socket: Socket;
  /** Bytes that the socket has not taken yet. */
  readonly queuedBytes: number;
  open(peerTimeoutMs: number): void;
  /** The next request that has arrived completely. */
  next(): string | undefined;
  /** There is no next one for now. */
  onDry?(): void;
  setReading(isReading: boolean): void;
  send(message: ControlMessage): void;
  /** Says that it ends behind what is queued; with a refusal nothing more is listened to. */
  end(refusal?: RequestRefusal): void;
  destroy(): void;
}

/** The far end of a control session, over TCP or WebSocket. */
export class ControlPeer {
  readonly remoteAddress: string;
  readonly #wire: ControlWire;
  readonly #context: ControlPeerContext;
  readonly #flow: RequestFlow;
  readonly #incomplete: IncompleteRequest;
  #handler: ControlPeerHandler | undefined;
  #isClosed = false;

  constructor(wireOf: (peer: ControlPeer) => ControlWire, context: ControlPeerContext) {
    const { limits, budget, turns } = context;
    const wire = wireOf(this);
    this.#wire = wire;
    this.#context = context;
    this.remoteAddress = addressOf(wire.socket);
    this.#incomplete = new IncompleteRequest({
      budget,
      isReading: () => this.#flow.isReading,
      onOverdue: () =>
        this.close(`a ${wire.unit} was not complete within ${maxRequestMs} ms`, true, 'overdue'),
    });
    this.#flow = new RequestFlow({
      turns,
      next: () => wire.next(),
      maxUnreadBytes: () => maxUnreadBytes(limits.maxQueuedBytes),
      onText: (text) => this.#handler?.onText(text),
      onDry: () => wire.onDry?.(),
      queuedBytes: () => this.queuedBytes,
      setReading: (isReading) => wire.setReading(isReading),
    });
  }

  get transport(): ControlWire['transport'] {
    return this.#wire.transport;
  }

  /** Bytes that the peer has not taken yet. */
  get queuedBytes(): number {
    return this.#wire.socket.destroyed ? 0 : this.#wire.queuedBytes;
  }

  /** Begins to read. */
  open(handler: ControlPeerHandler): void {
    this.#handler = handler;
    const { peerTimeoutMs } = this.#context.settings();
    // Node looks whether anything of a write was taken in the meantime, too.
    this.#wire.socket.setTimeout(peerTimeoutMs, () => this.#onSilence());
    this.#wire.open(peerTimeoutMs);
  }

  /** Failure: a peer that takes nothing is closed, see `maxQueuedBytes`. */
  send(message: ControlMessage): void {
    if (this.#isClosed) return;
    const { maxQueuedBytes } = this.#context.limits;
    if (this.queuedBytes <= maxQueuedBytes) this.#wire.send(message);
    else this.abort(`does not read: more than ${maxQueuedBytes} bytes are waiting`);
  }

  /** Stops and resumes reading, so that a controller that asks faster than we answer waits. */
  pause(): void {
    this.#flow.pause();
  }

  resume(): void {
    this.#flow.resume();
  }

  /** Nothing is sent any more; what is queued still goes out, for `maxLingerMs` at most. */
  close(reason: string, isFault = false, refusal?: RequestRefusal): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => this.#wire.destroy(), maxLingerMs).unref();
    this.#wire.socket.once('close', () => clearTimeout(timer));
    this.#wire.end(refusal);
    this.gone(reason, isFault);
  }

  // What follows is for its wire.

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether what arrives is looked at. */
  get isListening(): boolean {
    return !this.#isClosed && this.#flow.isReading && !this.#flow.isPaused;
  }

  /** Source: protocol reference, 9.1: `Group.SetClients` with all known clients stays far below. */
  get maxRequestBytes(): number {
    const { maxRequestBytes } = this.#context.limits;
    if (this.#handler?.isLoggedIn()) return maxRequestBytes;
    return Math.min(maxRequestBytes, maxBytesBeforeLogin);
  }

  /** So many bytes of a request that is not complete lie in memory. */
  hold(bytes: number): void {
    if (this.#incomplete.hold(bytes)) return;
    this.close('too many requests are incomplete: no memory for this one', true, 'no memory');
  }

  /** The request that was held is complete, what comes next is another one. */
  completed(): void {
    this.#incomplete.complete();
  }

  /** Something has arrived; the peer takes it when its turn comes. */
  arrived(): void {
    this.#flow.arrived();
  }

  /** Some of what was queued is out. */
  drained(): void {
    this.#flow.drained();
  }

  /** Nothing more comes, but the controller still reads. */
  ended(): void {
    this.#handler?.onEnd();
  }

  /** Closes a peer that there is no use in telling anything. */
  abort(reason: string): void {
    this.#wire.destroy();
    this.gone(reason, true);
  }

  gone(reason: string, isFault = false): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flow.stop();
    this.#incomplete.end();
    this.#handler?.onClose(reason, isFault);
  }

  /** Silence is what most controllers are for; but what waits for them they take. */
  #onSilence(): void {
    if (this.#isClosed || this.queuedBytes === 0) return;
    const { peerTimeoutMs } = this.#context.settings();
    this.abort(`took nothing of what waits for it for ${peerTimeoutMs} ms`);
  }
}
