import type { IncomingMessage } from 'node:http';
import { RefusedRequestError } from './refused-request-error.ts';

/** The longest body. Source: protocol reference, 10. */
export const maxBodyBytes = 1024 * 1024;
/** What is kept of all bodies together that are not complete yet. */
const maxIncompleteBytes = 16 * maxBodyBytes;
/** A longer body is read up to here, because clients write all of it before they read an answer. */
const maxDiscardedBytes = 16 * maxBodyBytes;
const firstBytes = 4096;

/** Receives the bodies of requests, within limits. */
export class BodyReader {
  #incompleteBytes = 0;

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
        } else if (end > maxDiscardedBytes) {
          // Leaving the loop ends the connection.
          throw refusal;
        }
        bytes = end;
      }
    } finally {
      this.#incompleteBytes -= body.length;
    }
    if (refusal) throw refusal;
    return body.toString('utf8', 0, bytes);
  }

  #refusalOf(body: Buffer, neededBytes: number): RefusedRequestError | undefined {
    if (neededBytes > maxBodyBytes) return tooLong();
    const moreBytes = sizeFor(body, neededBytes) - body.length;
    return this.#incompleteBytes + moreBytes > maxIncompleteBytes ? busy() : undefined;
  }

  #grown(body: Buffer, neededBytes: number): Buffer {
    const size = sizeFor(body, neededBytes);
    if (size === body.length) return body;
    const grown = Buffer.alloc(size);
    body.copy(grown);
    this.#incompleteBytes += size - body.length;
    return grown;
  }
}

/** Doubles, so that each byte is copied about once. */
function sizeFor(body: Buffer, neededBytes: number): number {
  if (neededBytes <= body.length) return body.length;
  return Math.min(maxBodyBytes, Math.max(firstBytes, 2 * body.length, neededBytes));
}

/** Whether the headers say already that the body is not going to be taken. */
export function isTooLong({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length']) > maxBodyBytes;
}

export function tooLong(): RefusedRequestError {
  const message = `The body is longer than ${maxBodyBytes} bytes: split the request`;
  return new RefusedRequestError(413, message, { Connection: 'close' });
}

function busy(): RefusedRequestError {
  const message = 'Too many requests are being received: try again';
  return new RefusedRequestError(503, message, { Connection: 'close', 'Retry-After': 1 });
}
