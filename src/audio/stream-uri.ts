import { isIPv6 } from 'node:net';
import { SourceError } from '../base/errors.ts';
import { cutText, wellFormed } from '../base/foreign-text.ts';
import { mask, shownParameter, withoutSecrets } from '../base/secrets.ts';

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

/** Longest address that is looked at: controllers send them from outside. */
export const maxStreamUriLength = 8192;

const example = 'for example pipe:///tmp/snapfifo?name=default';
const maxPort = 65_535;

/**
 * Takes an address apart; unknown parameters are kept, blanks may appear literally.
 *
 * Failure: throws a `SourceError` that says what is wrong with `text`.
 */
export function parseStreamUri(text: string): StreamUri {
  if (text.length > maxStreamUriLength) {
    throw badUri(
      `${cutText(shownAddress(text), 40)}…`,
      `it is longer than ${maxStreamUriLength} characters: shorten it`,
    );
  }
  const address = withoutQuotes(wellFormed(text));
  const [, scheme, afterScheme = ''] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(address) ?? [];
  if (scheme === undefined) throw badUri(address, `it names no scheme: write ${example}`);
  if (!afterScheme.startsWith('//')) {
    throw badUri(address, `missing host separator: '//' after "${scheme}:", ${example}`);
  }
  const [beforeFragment, fragment] = cut(afterScheme.slice(2), '#');
  const [beforeQuery, query] = cut(beforeFragment, '?');
  const slash = beforeQuery.indexOf('/');
  const authority = slash < 0 ? beforeQuery : beforeQuery.slice(0, slash);
  const uri: StreamUri = {
    scheme: scheme.toLowerCase(),
    ...parseAuthority(authority, address),
    path: slash < 0 ? '' : percentDecoded(beforeQuery.slice(slash)),
    fragment: percentDecoded(fragment),
    query: parseQuery(query),
  };
  if ([uri.path, uri.hostname, ...Object.values(uri.query)].some((part) => part.includes('\0'))) {
    throw badUri(address, 'it holds a NUL character (%00), which no path or parameter may');
  }
  return uri;
}

/** Writes an address with sorted keys and percent-encoding: what controllers see as `raw`. */
export function formatStreamUri(uri: Omit<StreamUri, 'hostname' | 'port'>): string {
  const query = Object.entries(uri.query)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${percentEncoded(key)}=${percentEncoded(value)}`)
    .join('&');
  const path = uri.path.split('/').map(percentEncoded).join('/');
  const fragment = percentEncoded(uri.fragment);
  return `${uri.scheme}://${uri.host}${path}${query && `?${query}`}${fragment && `#${fragment}`}`;
}

/**
 * Percent-encodes what would end the value, be stripped from it, or be read as the end of the
 * sentence around it; blanks may stand as they are.
 */
export function legible(text: string): string {
  return text.replace(/[%&#"'\\\p{C}\u2028\u2029\uFFFD]|^\s|\s$|(?<=:)\s/gu, (character) =>
    Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
}

function parseAuthority(
  authority: string,
  address: string,
): Pick<StreamUri, 'host' | 'hostname' | 'port'> {
  // Only this part may hold user information; an `@` behind it belongs to the path or the query.
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(host);
  if (!match) {
    throw badUri(
      address,
      `${quotedUnless(address.includes('@'), host)} is no host: ` +
        'write name, name:port, or an IPv6 address in brackets as [::1]:4953',
    );
  }
  const [, literal, name = '', digits = ''] = match;
  const hostname = percentDecoded(literal ?? name);
  if (literal !== undefined && !isIPv6(hostname)) {
    throw badUri(address, `"${literal}" in brackets is no IPv6 address`);
  }
  if (/[\s\p{Cc}"'<>\\^`{|}]/u.test(hostname)) {
    throw badUri(address, `the host "${hostname}" holds a character that no host name may`);
  }
  const port = digits === '' ? undefined : Number(digits);
  if (port !== undefined && port > maxPort) {
    throw badUri(address, `port ${digits} is above ${maxPort}`);
  }
  return { host, hostname, port };
}

/** A password that is not encoded breaks anywhere: pieces of it are not repeated. */
function quotedUnless(isPerhapsSecret: boolean, part: string): string {
  return isPerhapsSecret ? 'what stands there' : `"${part}"`;
}

function parseQuery(query: string): Record<string, string> {
  const pairs = query
    .split('&')
    .filter((pair) => pair.includes('='))
    .map((pair) => cut(pair, '=').map((part) => percentDecoded(part).trim()))
    .filter(([key]) => key !== '');
  // `fromEntries` defines own properties, so a key `__proto__` is a key like any other.
  return Object.fromEntries(pairs);
}

/** The text before and behind the first `mark`; the second is empty when there is no mark. */
function cut(text: string, mark: string): [string, string] {
  const index = text.indexOf(mark);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}

/**
 * Takes away the quotes around the whole address. A quote at its end that was opened within it
 * belongs to the last value.
 */
function withoutQuotes(text: string): string {
  const trimmed = text.trim();
  const opening = /^['"]*/.exec(trimmed)?.[0] ?? '';
  const address = trimmed.slice(opening.length);
  const isOpened = (quote: string) => (address.split(quote).length - 1) % 2 === 0;
  const closing = /['"]*$/.exec(address)?.[0] ?? '';
  const isValue = opening === '' && [...closing].every(isOpened);
  return isValue ? address : address.slice(0, address.length - closing.length).trim();
}

/** Decodes `%41`; a `%` that starts no such triple stays, because names are written by people. */
function percentDecoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) =>
    Buffer.from(run.replaceAll('%', ''), 'hex').toString(),
  );
}

/** Also encodes the quotes that `encodeURIComponent` spares and `parseStreamUri` strips. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replaceAll("'", '%27');
}

/**
 * What of an address may be shown, also of one that cannot be taken apart: neither the user and the
 * password in front of the host, nor the values of secret parameters.
 */
export function shownAddress(address: string): string {
  const [beforeQuery, query] = cut(address, '?');
  const head = withoutSecrets(hiddenAuthority(beforeQuery, address));
  const pairs = query.split('&').map((pair) => {
    const [key, value] = cut(pair, '=');
    return value === '' ? pair : `${key}=${shownValue(percentDecoded(key).trim(), value)}`;
  });
  return beforeQuery === address ? head : `${head}?${pairs.join('&')}`;
}

function hiddenAuthority(beforeQuery: string, address: string): string {
  const [, start = '', rest = ''] =
    /^([a-z][a-z0-9+.-]*:)?(?:\/\/)?(.*)$/is.exec(beforeQuery) ?? [];
  const [authority] = cut(rest, '/');
  if (authority.includes('@')) return `${start}//${mask}${rest.slice(authority.lastIndexOf('@'))}`;
  const isCutPassword = address.includes('@') && /:(?!\d*$)/.test(authority);
  if (!isCutPassword) return beforeQuery;
  // A password that is not encoded may hold any mark.
  const end = rest.includes('@') ? rest.lastIndexOf('@') : authority.length;
  return `${start}//${mask}${rest.slice(end)}`;
}

function shownValue(key: string, value: string): string {
  const decoded = percentDecoded(value);
  const shown = shownParameter(key, decoded, mask);
  return shown === decoded ? value : shown;
}

function badUri(address: string, fault: string): SourceError {
  const shown = shownAddress(address);
  return new SourceError('bad-uri', `the stream address "${shown}" cannot be used: ${fault}`);
}
