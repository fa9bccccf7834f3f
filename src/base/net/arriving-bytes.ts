import type { Readable } from 'node:stream';
import { cutText } from '../foreign-text.ts';
import { UrlError } from './open-url.ts';

const maxFaultLength = 200;

/** Takes what arrives, piece by piece, and waits only so long for it. */
export class ArrivingBytes {
  readonly #body: Readable;
  readonly #signal: AbortSignal;
  readonly #iterator: AsyncIterator<Buffer>;

  constructor(body: Readable, signal: AbortSignal) {
    this.#body = body;
    this.#signal = signal;
    this.#iterator = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    // An error before the first read would end the process; reading meets it.
    body.on('error', () => undefined);
  }

  /**
   * `undefined` at the end.
   *
   * Failure: rejects with a `UrlError` of the code `fetch-failed`, or by the reason of the signal;
   * nothing more comes then.
   */
  async next(waitMs: number): Promise<Buffer | undefined> {
    const signal = this.#signal;
    const late = new UrlError('fetch-failed', `nothing came for ${waitMs / 1000} s`);
    const timer = setTimeout(() => this.#body.destroy(late), waitMs);
    const stop = () => this.#body.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      signal.throwIfAborted();
      const { done, value } = await this.#iterator.next();
      signal.throwIfAborted();
      return done ? undefined : value;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof UrlError) throw error;
      const reason = cutText(String(error), maxFaultLength);
      throw new UrlError('fetch-failed', `it broke off: ${reason}`);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  close(): void {
    this.#body.destroy();
  }
}
