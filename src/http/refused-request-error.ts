import type { OutgoingHttpHeaders } from 'node:http';
import { ZerocastError } from '../base/errors.ts';

/** A request gets an answer that says no: stops one exchange. */
export class RefusedRequestError extends ZerocastError {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;

  constructor(status: number, message: string, headers: OutgoingHttpHeaders = {}) {
    super('refused-request', message);
    this.status = status;
    this.headers = headers;
  }
}

/** The words of the reference. Source: protocol reference, 10. */
export function notFound(target: string): RefusedRequestError {
  return new RefusedRequestError(404, `The resource '${target}' was not found.`);
}
