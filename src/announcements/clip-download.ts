import { type LookupAddress, lookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { messageOf } from '../base/errors.ts';
import type { AddressRules } from './address-rules.ts';
import { AnnounceError } from './announce-error.ts';

/** Larger clips are given up. */
export const maxDownloadBytes = 32 * 1024 * 1024;
/** From the request to the head of the answer, redirects included. */
export const maxFirstByteMs = 10_000;
export const maxUrlLength = 4096;
const maxRedirects = 5;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** What is certainly no sound; servers call sounds all sorts of things. */
const noSound = /^(?:text\/(?:html|xml|css|javascript)|application\/(?:json|xhtml|xml)|image\/)/i;

interface DownloadOptions {
  readonly rules: AddressRules;
  readonly signal: AbortSignal;
  /** Other limits than the usual ones: for tests. */
  readonly firstByteMs?: number;
}

/**
 * Asks for a clip, and resolves with the body once its head has come.
 *
 * Each address is looked at when it is connected to, also behind a redirect, so that no name can
 * stand for another address by then.
 *
 * Ownership: the caller reads the body, within `maxDownloadBytes`, or destroys it.
 * Failure: rejects with an `AnnounceError`: `not-allowed`, `fetch-failed` or `bad-clip`.
 */
export async function openDownload(
  address: string,
  { rules, signal, firstByteMs = maxFirstByteMs }: DownloadOptions,
): Promise<IncomingMessage> {
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(), firstByteMs);
  const either = AbortSignal.any([signal, timeUp.signal]);
  let url = parseUrl(address);
  try {
    for (let hops = 0; hops <= maxRedirects; hops += 1) {
      const response = await ask(url, rules, either);
      const next = redirects.has(response.statusCode ?? 0) ? response.headers.location : undefined;
      if (next === undefined) return checked(response);
      response.destroy();
      url = parseUrl(next, url);
    }
  } catch (error) {
    if (error instanceof AnnounceError) throw error;
    signal.throwIfAborted();
    if (timeUp.signal.aborted) throw failed(`nothing came within ${firstByteMs / 1000} s`);
    throw failed(`${url.host} cannot be reached: ${messageOf(error)}`);
  } finally {
    clearTimeout(timer);
  }
  throw failed(`more than ${maxRedirects} redirects`);
}

function parseUrl(text: string, base?: URL): URL {
  const isUrl = text.length <= maxUrlLength && URL.canParse(text, base?.href);
  if (!isUrl) throw failed('the address is no URL: write http://host/path');
  const url = new URL(text, base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw notAllowed(`${url.protocol} is not fetched: write http: or https:`);
  }
  return url;
}

function ask(url: URL, rules: AddressRules, signal: AbortSignal): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && !rules.permits(host, host)) throw refused(host, host);
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      // A connection of its own, which was looked at.
      agent: false,
      lookup: lookupWithin(rules),
      headers: { Accept: 'audio/*, */*;q=0.1', 'Accept-Encoding': 'identity' },
      signal,
    });
    asked.on('response', resolve);
    asked.on('error', reject);
    asked.end();
  });
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

function checked(response: IncomingMessage): IncomingMessage {
  const { statusCode = 0, statusMessage = '', headers } = response;
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  const fault =
    faultOfStatus(statusCode, statusMessage) ??
    (Number(headers['content-length']) > maxDownloadBytes ? tooLarge() : undefined) ??
    (noSound.test(type)
      ? new AnnounceError('bad-clip', `it is ${type}, not a sound`)
      : undefined) ??
    (encoding === 'identity' ? undefined : failed(`its encoding ${encoding} was not asked for`));
  if (!fault) return response;
  response.destroy();
  throw fault;
}

function faultOfStatus(status: number, message: string): AnnounceError | undefined {
  return status === 200 ? undefined : failed(`${status} ${message.slice(0, 80)}`.trim());
}

export function tooLarge(): AnnounceError {
  const mib = maxDownloadBytes / 1024 / 1024;
  return new AnnounceError('clip-too-long', `the clip is larger than ${mib} MiB`);
}

export function failed(reason: string): AnnounceError {
  return new AnnounceError('fetch-failed', reason);
}

function notAllowed(reason: string): AnnounceError {
  return new AnnounceError('not-allowed', reason);
}

function refused(host: string, address: string): AnnounceError {
  const what = host === address ? address : `${host} (${address})`;
  return notAllowed(`${what} is a private address: add it to [announce] allowed_host`);
}
