import type { IncomingMessage, ServerResponse } from 'node:http';
import compression from 'compression';

/** Compressors at the same time: each needs megabytes, for as long as its client takes to read. */
const maxCompressors = 8;

/** Sends text in less bytes to clients that ask for it. */
export class ResponseCompression {
  #active = 0;
  // Its types ask for Express, which it does not need.
  readonly #apply = compression({
    filter: (request, response) => this.#begin(compression.filter(request, response), response),
  }) as unknown as (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

  /** Makes `response` compress what it is going to send; ranges count in the bytes of the file. */
  apply(request: IncomingMessage, response: ServerResponse): void {
    if (request.headers.range === undefined) this.#apply(request, response, () => {});
  }

  #begin(isCompressible: boolean, response: ServerResponse): boolean {
    // A response whose client has left already does not close again.
    if (!isCompressible || response.destroyed || this.#active >= maxCompressors) return false;
    this.#active += 1;
    response.once('close', () => {
      this.#active -= 1;
    });
    return true;
  }
}
