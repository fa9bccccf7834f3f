import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { codeOf, messageOf } from '../base/errors.ts';
import { RefusedRequestError } from './refused-request-error.ts';

const plainText = 'text/plain; charset=utf-8';
/** What described a content that is not sent after all. */
const contentHeaders = ['Accept-Ranges', 'Cache-Control', 'Content-Type', 'ETag', 'Last-Modified'];

interface Answer {
  readonly body: string | Buffer;
  /** Plain text when it is not said. */
  readonly type?: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** Sends all of a response at once; Node leaves the body out of answers to HEAD. */
export function answer(response: ServerResponse, status: number, content: Answer): void {
  const { body, type = plainText, headers } = content;
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(body);
}

/** Says why there is nothing else to say; a response that has begun is broken off instead. */
export function answerFailure(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of contentHeaders) response.removeHeader(name);
  if (error instanceof RefusedRequestError) {
    answer(response, error.status, { body: error.message, headers: error.headers });
  } else {
    answer(response, 500, { body: `An error occurred: '${faultOf(error)}'` });
  }
}

/** A code where there is one: messages of the file system name paths of this machine. */
function faultOf(error: unknown): string {
  return codeOf(error) || messageOf(error);
}
