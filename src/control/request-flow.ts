import type { LoopShare } from '../base/time/loop-share.ts';

/** While more than this waits for a peer to read it, its further requests wait, too. */
const mostUnreadBytes = 1024 * 1024;
/** Or more than this part of what may wait for it at all. */
const unreadShare = 8;

export function maxUnreadBytes(maxQueuedBytes: number): number {
  return Math.min(mostUnreadBytes, maxQueuedBytes / unreadShare);
}

interface RequestFlowOptions {
  /** What all flows share. */
  readonly turns: LoopShare;
  /** The next request that has arrived completely. */
  readonly next: () => string | undefined;
  readonly onText: (text: string) => void;
  /** All that has arrived was handed on. */
  readonly onDry: () => void;
  readonly queuedBytes: () => number;
  /** What may be queued while further requests are handed on. */
  readonly maxUnreadBytes: () => number;
  /** Stops or resumes reading from the peer. */
  readonly setReading: (isReading: boolean) => void;
}

/**
 * Hands on the requests of a peer: never while it is paused or has much to read itself, and never
 * so many at a time that others wait.
 */
export class RequestFlow {
  readonly #options: RequestFlowOptions;
  /** For its turn. */
  #isWaiting = false;
  #isReading = true;
  #isPaused = false;
  #isRunning = false;
  #isStopped = false;

  constructor(options: RequestFlowOptions) {
    this.#options = options;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the peer is read from. */
  get isReading(): boolean {
    return this.#isReading;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#run();
  }

  /** Something has arrived; its turn comes after what waits already. */
  arrived(): void {
    if (this.#isReading) this.#run();
  }

  /** The peer has taken what was queued for it. */
  drained(): void {
    if (!this.#isReading) this.#run();
  }

  /** For good. */
  stop(): void {
    this.#isStopped = true;
  }

  #run(isTurn = false): void {
    if (this.#isRunning || this.#isStopped || this.#isWaiting) return;
    this.#isRunning = true;
    const isDry = this.#handOn(isTurn);
    this.#isRunning = false;
    if (this.#isStopped) return;
    if (isDry !== this.#isReading) this.#options.setReading(isDry);
    this.#isReading = isDry;
    if (isDry) this.#options.onDry();
  }

  /** Whether nothing is left; whose turn it is hands on one request at least. */
  #handOn(isTurn: boolean): boolean {
    const { turns, next, onText, queuedBytes, maxUnreadBytes } = this.#options;
    let mayGoOn = isTurn;
    while (!this.#isPaused && !this.#isStopped && queuedBytes() <= maxUnreadBytes()) {
      if (!mayGoOn && turns.isOver) {
        this.#continueLater();
        return false;
      }
      mayGoOn = false;
      const text = next();
      if (text === undefined) return true;
      onText(text);
    }
    return false;
  }

  #continueLater(): void {
    this.#isWaiting = true;
    this.#options.turns.later(() => {
      this.#isWaiting = false;
      this.#run(true);
    });
  }
}
