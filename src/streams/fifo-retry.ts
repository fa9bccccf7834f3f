import { isFifoReadable } from '../audio/sources/prepare-source.ts';
import type { StreamOptions } from '../audio/stream-options.ts';
import type { StreamChannel } from './stream-channel.ts';

const firstRetryMs = 500;
const slowestRetryMs = 5000;
/** Faults that a user fixes by making a folder, removing a file, or giving a right. */
const retryable: ReadonlySet<string> = new Set(['mkfifo', 'no-fifo', 'pipe-open']);

interface FifoRetryOptions {
  /** Still there, and no caller is about to replace it. */
  readonly isPresent: (channel: StreamChannel) => boolean;
  /** Opens the stream anew in the place of the one that is disabled. */
  readonly reopen: (options: StreamOptions) => Promise<unknown>;
}

/**
 * Streams that are disabled because their fifo cannot be read: each is opened anew when it can be.
 * Nothing is logged until then, and no timer runs while there are none.
 */
export class FifoRetry {
  readonly #options: FifoRetryOptions;
  readonly #broken = new Set<StreamChannel>();
  #timer: NodeJS.Timeout | undefined;
  #retryMs = firstRetryMs;
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: FifoRetryOptions) {
    this.#options = options;
  }

  has(channel: StreamChannel): boolean {
    return this.#broken.has(channel);
  }

  /** Takes the stream if it is disabled for its fifo. */
  consider(channel: StreamChannel): void {
    const { fault, options } = channel.stream;
    if (this.#isClosed || options.uri.scheme !== 'pipe' || !retryable.has(fault?.code ?? ''))
      return;
    this.#broken.add(channel);
    this.#retryMs = firstRetryMs;
    this.#wait();
  }

  /** Resolves when no stream is just being opened. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#work;
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#work = this.#work.then(() => this.#tryAll());
    }, this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, slowestRetryMs);
  }

  async #tryAll(): Promise<void> {
    for (const channel of [...this.#broken]) {
      const { options } = channel.stream;
      const isReadable = this.#isWanted(channel) && (await isFifoReadable(options.uri));
      if (!this.#isWanted(channel)) this.#broken.delete(channel);
      else if (isReadable) {
        await this.#options.reopen(options);
        this.#broken.delete(channel);
      }
    }
    if (this.#broken.size > 0 && !this.#isClosed) this.#wait();
  }

  #isWanted(channel: StreamChannel): boolean {
    return !this.#isClosed && this.#options.isPresent(channel);
  }
}
