import { type LookupAddress, lookup } from 'node:dns';
import { lookup as lookupAll } from 'node:dns/promises';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { messageOf, ZerocastError } from '../errors.ts';
import type { AddressRules } from './address-rules.ts';

/** Of all addresses that are asked for. */
export const maxUrlLength = 4096;
const maxRedirects = 5;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const maxHeadBytes = 16 * 1024;
const ports = { 'http:': 80, 'https:': 443 } as const;
/** How servers of SHOUTcast 1 begin their answer, in place of `HTTP/1.0`. */
const oldHead = Buffer.from('ICY ');

/** An address cannot be asked: `not-allowed`, `private-address` or `fetch-failed`. */
export class UrlError extends ZerocastError {}

interface UrlOptions {
  readonly rules: AddressRules;
  readonly headers: OutgoingHttpHeaders;
  readonly signal: AbortSignal;
  /** Until the head of the answer has come, redirects included. */
  readonly headMs: number;
}

/** What an address has answered. */
interface UrlAnswer {
  /** That of the last redirect. */
  readonly url: URL;
  /** Ownership: the caller reads it or destroys it. */
  readonly response: IncomingMessage;
}

/**
 * Asks for what lies behind an address, and resolves once the head of the answer has come.
 *
 * Each address is looked at when it is connected to, also behind a redirect, so that no name can
 * stand for another address by then.
 *
 * Failure: rejects with a `UrlError`, or by the reason of `signal`.
 */
export async function openUrl(address: string, options: UrlOptions): Promise<UrlAnswer> {
  const { signal, headMs } = options;
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(), headMs);
  const either = AbortSignal.any([signal, timeUp.signal]);
  let url = parseUrl(address);
  try {
    for (let hops = 0; hops <= maxRedirects; hops += 1) {
      const response = await ask(url, { ...options, signal: either });
      const next = redirects.has(response.statusCode ?? 0) ? response.headers.location : undefined;
      if (next === undefined) return { url, response };
      response.destroy();
      url = parseUrl(next, url);
    }
  } catch (error) {
    if (error instanceof UrlError) throw error;
    signal.throwIfAborted();
    if (timeUp.signal.aborted) throw failed(`nothing came within ${headMs / 1000} s`);
    throw failed(`${url.host} cannot be reached: ${messageOf(error)}`);
  } finally {
    clearTimeout(timer);
  }
  throw failed(`more than ${maxRedirects} redirects`);
}

/** Failure: rejects with a `UrlError` when the host is one that may not be asked; another one may be unknown. */
export async function refusePrivate(address: string, rules: AddressRules): Promise<void> {
  const host = hostOf(parseUrl(address));
  const found = await lookupAll(host, { all: true }).catch(() => []);
  const bad = found.find((one) => !rules.permits(host, one.address));
  if (bad) throw refused(host, bad.address);
}

/** Failure: throws a `UrlError` for what is not fetched by HTTP. */
export function parseUrl(text: string, base?: URL): URL {
  const isUrl = text.length <= maxUrlLength && URL.canParse(text, base?.href);
  if (!isUrl) throw failed('the address is no URL: write http://host/path');
  const url = new URL(text, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UrlError('not-allowed', `${url.protocol} is not fetched: write http: or https:`);
  }
  return url;
}

function ask(url: URL, { rules, headers, signal }: UrlOptions): Promise<IncomingMessage> {
  const host = hostOf(url);
  if (isIP(host) !== 0 && !rules.permits(host, host)) throw refused(host, host);
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host, path: `${url.pathname}${url.search}`, signal },
      ...(url.username && { auth: decodeURIComponent(`${url.username}:${url.password}`) }),
      // What follows has been seen in the heads of radio stations.
      ...{ maxHeaderSize: maxHeadBytes, insecureHTTPParser: true },
      headers: { ...headers, Host: url.host, Connection: 'close' },
      // A connection of its own, which was looked at.
      createConnection: () => withoutOldHead(connectTo(url, host, rules)),
    });
    asked.on('response', resolve);
    asked.on('error', reject);
    asked.end();
  });
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function connectTo(url: URL, host: string, rules: AddressRules): Socket {
  const isTls = url.protocol === 'https:';
  const port = Number(url.port) || ports[isTls ? 'https:' : 'http:'];
  const to = { host, port, lookup: lookupWithin(rules) };
  return isTls ? connectTls({ ...to, ...(isIP(host) === 0 && { servername: host }) }) : connect(to);
}

/** Gives only addresses that may be connected to. */
function lookupWithin(rules: AddressRules): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, found: readonly LookupAddress[]) => {
      if (error) return callback(error, '');
      const bad = found.find(({ address }) => !rules.permits(host, address));
      const [first] = found;
      if (bad) return callback(refused(host, bad.address), '');
      if (options.all) return callback(null, [...found]);
      return callback(null, first?.address ?? '', first?.family);
    });
  };
}

/** The same connection, on which an answer that begins with `ICY` begins as one by HTTP does. */
function withoutOldHead(socket: Socket): Duplex {
  let head: Buffer | undefined = Buffer.alloc(0);
  const connection = new Duplex({
    read: () => void socket.resume(),
    write: (data: Buffer, _encoding, done) => void socket.write(data, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (data: Buffer) => {
    let bytes = data;
    if (head) {
      head = Buffer.concat([head, data]);
      const beginning = head.subarray(0, oldHead.length);
      const isOld = beginning.equals(oldHead.subarray(0, beginning.length));
      if (isOld && head.length < oldHead.length) return;
      bytes = isOld ? Buffer.concat([Buffer.from('HTTP/1.0 '), head.subarray(4)]) : head;
      head = undefined;
    }
    if (!connection.push(bytes)) socket.pause();
  });
  socket.on('end', () => connection.push(null));
  socket.on('error', (error) => connection.destroy(error));
  return connection;
}

function failed(reason: string): UrlError {
  return new UrlError('fetch-failed', reason);
}

function refused(host: string, address: string): UrlError {
  const what = host === address ? address : `${host} (${address})`;
  return new UrlError('private-address', `${what} is a private address`);
}
