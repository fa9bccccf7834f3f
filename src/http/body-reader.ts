import type { IncomingMessage } from 'node:http';
import { inSlices } from '../base/time/in-slices.ts';
import type { ControlPeerContext } from '../control/control-peer.ts';
import { RefusedRequestError } from './refused-request-error.ts';

/** A body too long is read up to so many times the limit: clients write all before they read. */
const discardedShare = 16;
const firstBytes = 4096;
/** The beginning of a body is taken as it comes, what follows in turn with all that takes long. */
const atOnceBytes = 64 * 1024;

/** Time for all of a body. */
const maxBodyMs = 5000;

interface BodyLimits extends Pick<ControlPeerContext, 'budget'> {
  readonly limits: Pick<ControlPeerContext['limits'], 'maxRequestBytes'>;
  /** Absent: the usual time. */
  readonly maxBodyMs?: number;
}

/** Receives the bodies of requests, within limits. Source: protocol reference, 10. */
export class BodyReader {
  readonly #context: BodyLimits;

  constructor(context: BodyLimits) {
    this.#context = context;
  }

  async read(request: IncomingMessage): Promise<string> {
    return (await this.readBytes(request)).toString();
  }

  /** Failure: rejects with a `RefusedRequestError`, or because the request broke off. */
  async readBytes(request: IncomingMessage): Promise<Buffer> {
    const { maxBodyMs: limitMs = maxBodyMs } = this.#context;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(overdue(limitMs)), limitMs);
    });
    try {
      return await Promise.race([this.#read(request), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(request: IncomingMessage): Promise<Buffer> {
    let body: Buffer = Buffer.alloc(0);
    let bytes = 0;
    let refusal: RefusedRequestError | undefined;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        const end = bytes + chunk.length;
        refusal ??= this.#refusalOf(body, end);
        if (!refusal) {
          // Copied into one buffer: a thousand chunks of one byte would be a thousand objects.
          const take = () => {
            body = this.#grown(body, end);
            chunk.copy(body, bytes);
          };
          // Many uploads would bring megabytes per turn; a connection that waits is not read.
          if (end <= atOnceBytes) take();
          else await inSlices(1, take);
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
    return body.subarray(0, bytes);
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

function overdue(limitMs: number): RefusedRequestError {
  const message = `The body was not complete within ${limitMs} ms`;
  return new RefusedRequestError(408, message, { Connection: 'close' });
}

function busy(): RefusedRequestError {
  const message = 'Too many requests are being received: try again';
  return new RefusedRequestError(503, message, { Connection: 'close', 'Retry-After': 1 });
}
