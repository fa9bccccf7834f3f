import type { IncomingMessage } from 'node:http';
import type { ControlPeerContext } from '../control/control-peer.ts';
import { RefusedRequestError } from './refused-request-error.ts';

/** A body too long is read up to so many times the limit: clients write all before they read. */
const discardedShare = 16;
const firstBytes = 4096;

/** Receives the bodies of requests, within limits. Source: protocol reference, 10. */
export class BodyReader {
  readonly #context: ControlPeerContext;

  constructor(context: ControlPeerContext) {
    this.#context = context;
  }

  /** Failure: rejects with a `RefusedRequestError`, or because the request broke off. */
  async read(request: IncomingMessage): Promise<string> {
    let body: Buffer = Buffer.alloc(0);
    let bytes = 0;
    let refusal: RefusedRequestError | undefined;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        const end = bytes + chunk.length;
        refusal ??= this.#refusalOf(body, end);
        if (!refusal) {
          // Copied into one buffer: a thousand chunks of one byte would be a thousand objects.
          body = this.#grown(body, end);
          chunk.copy(body, bytes);
        } else if (end > discardedShare * this.#maxBytes) {
          // Leaving the loop ends the connection.
          throw refusal;
        }
        bytes = end;
      }
    } finally {
      this.#context.budget.give(body.length);
    }
    if (refusal) throw refusal;
    return body.toString('utf8', 0, bytes);
  }

  /** Whether the headers say already that the body is not going to be taken. */
  isTooLong({ headers }: IncomingMessage): boolean {
    return Number(headers['content-length']) > this.#maxBytes;
  }

  tooLong(): RefusedRequestError {
    const message = `The body is longer than ${this.#maxBytes} bytes: split the request`;
    return new RefusedRequestError(413, message, { Connection: 'close' });
  }

  get #maxBytes(): number {
    return this.#context.limits.maxRequestBytes;
  }

  /** Takes the memory for a body of so many bytes. */
  #refusalOf(body: Buffer, neededBytes: number): RefusedRequestError | undefined {
    if (neededBytes > this.#maxBytes) return this.tooLong();
    const moreBytes = this.#sizeFor(body, neededBytes) - body.length;
    return this.#context.budget.take(moreBytes) ? undefined : busy();
  }

  #grown(body: Buffer, neededBytes: number): Buffer {
    const size = this.#sizeFor(body, neededBytes);
    if (size === body.length) return body;
    const grown = Buffer.alloc(size);
    body.copy(grown);
    return grown;
  }

  /** Doubles, so that each byte is copied about once. */
  #sizeFor(body: Buffer, neededBytes: number): number {
    if (neededBytes <= body.length) return body.length;
    return Math.min(this.#maxBytes, Math.max(firstBytes, 2 * body.length, neededBytes));
  }
}

function busy(): RefusedRequestError {
  const message = 'Too many requests are being received: try again';
  return new RefusedRequestError(503, message, { Connection: 'close', 'Retry-After': 1 });
}
