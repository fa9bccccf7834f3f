import type { WebSocket } from 'ws';
import type { Chunk } from '../audio/chunk.ts';
import { closeCode } from '../protocol/web-socket-frame.ts';

/** What may wait for a peer that does not take it: beyond it frames are left out. */
const maxUnsentBytes = 256 * 1024;
/** What a peer says is a question for the time. */
const maxQuestionCharacters = 256;
/** A peer that does not answer the end gets no longer to do so. */
const closeGraceMs = 1000;

const binaryFrame = { binary: true, compress: false };
const textFrame = { binary: false, compress: false };

interface TapSessionOptions {
  readonly webSocket: WebSocket;
  readonly nowUs: () => number;
  /** Asked before each frame, as a login can lose what it was permitted. */
  readonly isPermitted: () => boolean;
  /** A peer that takes nothing of what waits for so long is gone. */
  readonly peerTimeoutMs: () => number;
  readonly onLost: (frames: number) => void;
  readonly onClose: () => void;
}

/** One program that listens to a stream. */
export class TapSession {
  readonly #options: TapSessionOptions;
  readonly #webSocket: WebSocket;
  /** Resolves when nothing is under way any more. */
  readonly closed: Promise<void>;
  #isClosed = false;
  /** Frames that were left out since the last one that was sent, and what these held. */
  #lost = { frames: 0, count: 0 };
  #fullSinceUs: number | undefined;

  constructor(options: TapSessionOptions) {
    const { webSocket, onClose } = options;
    this.#options = options;
    this.#webSocket = webSocket;
    // `ws` closes by itself what breaks its rules.
    webSocket.on('error', () => undefined);
    webSocket.on('message', (data, isBinary) => this.#onMessage(String(data), isBinary));
    this.closed = new Promise((resolve) => {
      webSocket.on('close', () => {
        this.#isClosed = true;
        onClose();
        resolve();
      });
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  tell(message: object): void {
    if (!this.#isClosed) this.#webSocket.send(JSON.stringify(message), textFrame);
  }

  /** Ownership: takes a reference of its own. `payload` is that of `frame`. */
  deliver(frame: Chunk, payload: Buffer, count: number): void {
    if (this.#isClosed) return;
    if (!this.#options.isPermitted()) {
      this.close(closeCode.policyViolation, 'the login does not hold any more');
      return;
    }
    const { bufferedAmount } = this.#webSocket;
    if (bufferedAmount > 0 && bufferedAmount + payload.length > maxUnsentBytes) {
      this.#lose(count);
      return;
    }
    this.#fullSinceUs = undefined;
    if (this.#lost.frames > 0) {
      this.tell({ lost: this.#lost });
      this.#lost = { frames: 0, count: 0 };
    }
    frame.retain();
    this.#webSocket.send(payload, binaryFrame, () => frame.release());
  }

  /** Says why. */
  close(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#webSocket.close(code, reason);
    const timer = setTimeout(() => this.#webSocket.terminate(), closeGraceMs);
    this.#webSocket.once('close', () => clearTimeout(timer));
  }

  destroy(): void {
    this.#isClosed = true;
    this.#webSocket.terminate();
  }

  #lose(count: number): void {
    const { nowUs, onLost, peerTimeoutMs } = this.#options;
    this.#lost = { frames: this.#lost.frames + 1, count: this.#lost.count + count };
    onLost(1);
    this.#fullSinceUs ??= nowUs();
    if (nowUs() - this.#fullSinceUs > peerTimeoutMs() * 1000) this.destroy();
  }

  /** `{"time": …}` is answered with the same, and what time it is here; nothing else is understood. */
  #onMessage(text: string, isBinary: boolean): void {
    const receivedUs = this.#options.nowUs();
    const time = isBinary || text.length > maxQuestionCharacters ? undefined : timeIn(text);
    if (time === undefined) {
      this.close(closeCode.unsupportedData, 'only {"time": <number>} is understood');
    } else if (this.#webSocket.bufferedAmount < maxUnsentBytes) {
      this.tell({ time, serverUs: receivedUs });
    }
  }
}

/** Not parsed as JSON: one number is all that is wanted. */
function timeIn(text: string): number | undefined {
  const [, digits] = /^\s*\{\s*"time"\s*:\s*(-?\d{1,17}(?:\.\d{1,20})?)\s*\}\s*$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
