import type { IncomingMessage } from 'node:http';
import { codeOf, ZerocastError } from '../../../base/errors.ts';
import { cutText } from '../../../base/foreign-text.ts';
import type { AddressRules } from '../../../base/net/address-rules.ts';
import { ArrivingBytes } from '../../../base/net/arriving-bytes.ts';
import { openUrl } from '../../../base/net/open-url.ts';
import { textOf } from './icy-titles.ts';
import { entriesOf, isHls, listKindOf } from './playlist.ts';

/** Until a station, or one list on the way to it, has answered. */
const maxHeadMs = 10_000;
/** Nothing more for this long ends a connection. */
export const maxSilenceMs = 20_000;
/** Lists that name lists. */
const maxDepth = 3;
/** Addresses that are asked for in one attempt, redirects not counted. */
const maxRequests = 16;
const maxListBytes = 64 * 1024;
const maxNameLength = 200;
const maxMetadataIntervalBytes = 1024 * 1024;
/** What is certainly no sound. */
const noSound = /^(?:text\/|image\/|application\/(?:json|xhtml|xml))/i;

/** A station cannot be heard: stops one attempt. The code says whether the next one is far off. */
export class StationError extends ZerocastError {}

/** Another attempt will hardly help; all else may be over in a moment. */
export const lastingFaults: ReadonlySet<string> = new Set([
  'bad-list',
  'no-audio',
  'not-allowed',
  'private-address',
  'refused',
]);

interface StationOptions {
  readonly rules: AddressRules;
  readonly userAgent: string;
  readonly wantsTitles: boolean;
  readonly signal: AbortSignal;
}

/** A station that has begun to send, as its answer describes it. */
export interface Station {
  /** Ownership: the caller reads it, or closes it. */
  readonly body: ArrivingBytes;
  readonly type: string;
  /** Zero: there is no metadata in it. */
  readonly metadataIntervalBytes: number;
  readonly about: StationFacts;
}

/** What a station says of itself. */
export interface StationFacts {
  readonly name?: string;
  readonly genre?: string;
  readonly url?: string;
  readonly kbps?: string;
}

/** A station that comes in pieces, of which a list is made anew all the time (HLS). */
export interface PieceList {
  readonly listUrl: string;
}

/**
 * Connects to the station behind an address, which may be a list of stations: to the first of them
 * that can be reached.
 *
 * Failure: rejects with a `StationError` or `UrlError`, or by the reason of `signal`.
 */
export async function findStation(
  address: string,
  options: StationOptions,
): Promise<Station | PieceList> {
  let requests = 0;
  const find = async (address: string, depth: number): Promise<Station | PieceList> => {
    requests += 1;
    if (depth > maxDepth) throw badList(`it is a list of lists, more than ${maxDepth} deep`);
    if (requests > maxRequests) throw badList(`it leads to more than ${maxRequests} addresses`);
    const answer = await open(address, options);
    const { url, response } = answer;
    const type = headerOf(response, 'content-type');
    const kind = listKindOf(type, url.pathname);
    const body = new ArrivingBytes(response, options.signal);
    if (!kind) return stationOf(response, body);
    const text = await readList(body);
    if (isHls(text)) return { listUrl: url.href };
    let fault: unknown = badList('the list names no address');
    for (const entry of entriesOf(text, kind)) {
      try {
        return await find(
          URL.canParse(entry, url.href) ? new URL(entry, url).href : entry,
          depth + 1,
        );
      } catch (error) {
        options.signal.throwIfAborted();
        fault = error;
        if (codeOf(error) === 'bad-list') break;
      }
    }
    throw fault;
  };
  return find(address, 0);
}

async function open(address: string, { rules, userAgent, wantsTitles, signal }: StationOptions) {
  const headers = {
    'User-Agent': userAgent,
    Accept: '*/*',
    'Accept-Encoding': 'identity',
    ...(wantsTitles && { 'Icy-MetaData': '1' }),
  };
  const answer = await openUrl(address, { rules, headers, signal, headMs: maxHeadMs });
  const { statusCode = 0, statusMessage = '', headers: told } = answer.response;
  const { 'content-encoding': encoding = 'identity' } = told;
  if (statusCode === 200 && encoding === 'identity') return answer;
  answer.response.destroy();
  if (statusCode === 200) throw noAudio(`its encoding ${encoding} was not asked for`);
  const code = statusCode >= 500 ? 'unavailable' : 'refused';
  const status = cutText(`${statusCode} ${statusMessage}`.trim(), maxNameLength);
  throw new StationError(code, `${answer.url.host} says ${status}`);
}

function stationOf(response: IncomingMessage, body: ArrivingBytes): Station {
  const type = headerOf(response, 'content-type').split(';')[0]?.trim() ?? '';
  if (noSound.test(type)) {
    body.close();
    const isPage = /html/i.test(type);
    throw noAudio(`${type} comes, ${isPage ? 'a web page in place of' : 'which is no'} sound`);
  }
  const interval = Number(headerOf(response, 'icy-metaint'));
  const hasMetadata = Number.isInteger(interval) && interval > 0;
  if (interval > maxMetadataIntervalBytes) {
    body.close();
    throw noAudio(`its metadata is ${interval} bytes apart: write title=off`);
  }
  const about = Object.entries({
    name: 'icy-name',
    genre: 'icy-genre',
    url: 'icy-url',
    kbps: 'icy-br',
  })
    .map(([key, header]) => [key, cutText(headerOf(response, header), maxNameLength)])
    .filter(([, text]) => text !== '');
  return {
    body,
    type,
    metadataIntervalBytes: hasMetadata ? interval : 0,
    about: Object.fromEntries(about),
  };
}

/** Stations write what they like, in the encoding that they like. */
function headerOf({ headers }: IncomingMessage, name: string): string {
  const value = headers[name];
  const text = Array.isArray(value) ? value[0] : value;
  return textOf(Buffer.from(text ?? '', 'latin1')).trim();
}

async function readList(body: ArrivingBytes): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const piece = await body.next(maxHeadMs);
      if (!piece) break;
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > maxListBytes) throw badList(`the list is longer than ${maxListBytes} bytes`);
    }
    return Buffer.concat(pieces).toString();
  } finally {
    body.close();
  }
}

function badList(reason: string): StationError {
  return new StationError('bad-list', reason);
}

export function noAudio(reason: string): StationError {
  return new StationError('no-audio', reason);
}
