import type { LoopShare } from '../base/time/loop-share.ts';
import type { RequestBudget } from './request-budget.ts';

/** Whoever has to log in first needs no more for that. */
export const maxBytesBeforeLogin = 64 * 1024;
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

export interface ControlPeerHandler {
  /** Until then its requests have to be short, see `maxBytesBeforeLogin`. */
  readonly isLoggedIn: boolean;
  /** One request or batch. */
  onText(text: string): void;
  /** The peer asks nothing more, but reads on; what it has asked was handed on before. */
  onEnd(): void;
  /** Called exactly once, with the reason in words; `isFault` when the peer broke a rule. */
  onClose(reason: string, isFault: boolean): void;
}

/** The far end of a control session, over TCP or WebSocket. */
export interface ControlPeer {
  readonly transport: 'TCP' | 'WebSocket';
  readonly remoteAddress: string;
  /** Bytes that the peer has not taken yet. */
  readonly queuedBytes: number;
  /** Begins to read. */
  open(handler: ControlPeerHandler): void;
  /** Failure: a peer that takes nothing is closed, see `maxQueuedBytes`. */
  send(message: ControlMessage): void;
  /** Stops and resumes reading, so that whoever asks faster than we answer waits. */
  pause(): void;
  resume(): void;
  /** Nothing is sent any more; what is queued still goes out, for `maxLingerMs` at most. */
  close(reason: string): void;
}
