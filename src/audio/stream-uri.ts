import { SourceError } from '../errors.ts';

/**
 * The address of a stream: `scheme://[user@]host[:port][/path][?key=value&…][#fragment]`.
 *
 * Source: protocol reference, 15.1.
 */
export interface StreamUri {
  readonly scheme: string;
  /** Host as written, with `:port` if there is one: what controllers show. */
  readonly host: string;
  /** Host without port and without the brackets of an IPv6 literal. */
  readonly hostname: string;
  readonly port: number | undefined;
  /** Percent-decoded, with its leading slash. */
  readonly path: string;
  readonly fragment: string;
  /** Percent-decoded and trimmed; of repeated keys the last one. */
  readonly query: Readonly<Record<string, string>>;
}

/** Failure: throws a `SourceError` that says what is wrong with `text`. */
export function parseStreamUri(text: string): StreamUri {
  throw new SourceError('bad-uri', `not parsed: ${text}`);
}
