import type { IncomingMessage, ServerResponse } from 'node:http';
import { RefusedRequestError } from './refused-request-error.ts';

/** What a request is about: `path` is as it came, with nothing decoded. */
export interface RequestTarget {
  readonly text: string;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}

/** One request and the response to it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: RequestTarget;
}

export type Answerer = (exchange: Exchange) => void | Promise<void>;
/** Who answers which method. */
export type Route = ReadonlyMap<string, Answerer>;

/**
 * Splits the target of a request.
 *
 * Failure: throws a `RefusedRequestError` for what names no path.
 * Source: RFC 9112, 3.2: a server accepts the absolute form as well.
 */
export function parseTarget(text = ''): RequestTarget {
  const [, path, query = ''] = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)(?:\?([^#]*))?/i.exec(text) ?? [];
  if (path === undefined) throw new RefusedRequestError(400, 'Illegal request-target');
  return { text, path, query };
}
