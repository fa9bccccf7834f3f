import type { IncomingMessage } from 'node:http';
import type { AddressRules } from '../base/net/address-rules.ts';
import { openUrl, UrlError } from '../base/net/open-url.ts';
import { AnnounceError } from './announce-error.ts';

/** Larger clips are given up. */
export const maxDownloadBytes = 32 * 1024 * 1024;
/** From the request to the head of the answer, redirects included. */
export const maxFirstByteMs = 10_000;
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
 * Ownership: the caller reads the body, within `maxDownloadBytes`, or destroys it.
 * Failure: rejects with an `AnnounceError`: `not-allowed`, `fetch-failed` or `bad-clip`.
 */
export async function openDownload(
  address: string,
  { rules, signal, firstByteMs: headMs = maxFirstByteMs }: DownloadOptions,
): Promise<IncomingMessage> {
  const headers = { Accept: 'audio/*, */*;q=0.1', 'Accept-Encoding': 'identity' };
  try {
    return checked((await openUrl(address, { rules, headers, signal, headMs })).response);
  } catch (error) {
    if (!(error instanceof UrlError)) throw error;
    const { code, message } = error;
    if (code !== 'private-address') throw new AnnounceError(code, message);
    throw notAllowed(`${message}: add it to [announce] allowed_host`);
  }
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
