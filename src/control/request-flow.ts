import { maxSliceMs } from '../transport/time-slice.ts';

/** While more than this waits for a peer to read it, its further requests wait, too. */
const mostUnreadBytes = 1024 * 1024;
/** Or more than this part of what may wait for it at all. */
const unreadShare = 8;

export function maxUnreadBytes(maxQueuedBytes: number): number {
  return Math.min(mostUnreadBytes, maxQueuedBytes / unreadShare);
}

export interface RequestFlowOptions {
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
  #rest: NodeJS.Immediate | undefined;
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
    clearImmediate(this.#rest);
  }

  #run(): void {
    if (this.#isRunning || this.#isStopped || this.#rest) return;
    this.#isRunning = true;
    const isDry = this.#handOn();
    this.#isRunning = false;
    if (this.#isStopped) return;
    if (isDry !== this.#isReading) this.#options.setReading(isDry);
    this.#isReading = isDry;
    if (isDry) this.#options.onDry();
  }

  /** Whether nothing is left. */
  #handOn(): boolean {
    const { next, onText, queuedBytes, maxUnreadBytes } = this.#options;
    const endMs = performance.now() + maxSliceMs;
    while (!this.#isPaused && !this.#isStopped && queuedBytes() <= maxUnreadBytes()) {
      if (performance.now() > endMs) {
        this.#continueLater();
        return false;
      }
      const text = next();
      if (text === undefined) return true;
      onText(text);
    }
    return false;
  }

  #continueLater(): void {
    this.#rest = setImmediate(() => {
      this.#rest = undefined;
      this.#run();
    });
  }
}
