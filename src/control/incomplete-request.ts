import type { RequestBudget } from './request-budget.ts';

/** A request that has begun is complete within this time, or its sender is closed. */
export const maxRequestMs = 30_000;
/** Every controller may have so much in memory without a share of the common budget. */
export const freeBytes = 4096;

interface IncompleteRequestOptions {
  readonly budget: RequestBudget;
  /** Whether the peer is listened to: otherwise it is not its fault that the request stands still. */
  readonly isReading: () => boolean;
  readonly onOverdue: () => void;
}

/** What one peer has sent of a request: within the common budget, and not for ever. */
export class IncompleteRequest {
  readonly #options: IncompleteRequestOptions;
  #takenBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: IncompleteRequestOptions) {
    this.#options = options;
  }

  /** So much of it lies in memory now. Returns false when there is no room for that. */
  hold(bytes: number): boolean {
    if (bytes === 0) this.complete();
    else this.#timer ??= this.#startTimer();
    return this.#take(Math.max(0, bytes - freeBytes));
  }

  /** What comes next is another request. */
  complete(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The peer is gone. */
  end(): void {
    this.complete();
    this.#take(0);
  }

  #take(bytes: number): boolean {
    const { budget } = this.#options;
    const moreBytes = bytes - this.#takenBytes;
    if (moreBytes > 0 && !budget.take(moreBytes)) return false;
    if (moreBytes < 0) budget.give(-moreBytes);
    this.#takenBytes = bytes;
    return true;
  }

  #startTimer(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      if (this.#options.isReading()) this.#options.onOverdue();
      else this.#timer = this.#startTimer();
    }, maxRequestMs).unref();
  }
}
