import { messageOf, SourceError } from '../../../base/errors.ts';
import { parseUrl } from '../../../base/net/open-url.ts';
import { packageVersion } from '../../../base/version.ts';
import { badParameter, choiceOf, numberOf, textOf } from '../../stream-parameters.ts';
import { parametersOf, type SourceContext } from '../stream-source.ts';
import type { RadioCodec } from './radio-decoder.ts';

export const leastPrebufferMs = 500;
const prebufferRange = { fallback: 2000, min: leastPrebufferMs, max: 10_000, unit: 'ms' };
const codecs = ['auto', 'mp3', 'aac', 'ogg', 'flac'] as const;
const maxAgentLength = 200;

/** What the address of a radio stream says. */
export interface RadioAddress {
  readonly url: string;
  /** Absent: by what the station says. */
  readonly codec: RadioCodec | undefined;
  readonly prebufferMs: number;
  readonly wantsTitles: boolean;
  readonly userAgent: string;
}

/** Failure: throws a `SourceError`. */
export function radioAddressOf(context: SourceContext): RadioAddress {
  const { uri } = context;
  const url = textOf(uri, 'url');
  const example = 'radio:///?name=Jazz&url=http%3A%2F%2Fhost%2Fpath';
  if (url === undefined) {
    throw new SourceError('no-url', `a radio stream needs the URL of its station: ${example}`);
  }
  try {
    parseUrl(url);
  } catch (error) {
    throw badParameter(uri, 'url', `${messageOf(error)}, percent-encoded: ${example}`, error);
  }
  const codec = choiceOf(uri, 'format', [...codecs]);
  const userAgent = textOf(uri, 'user_agent') ?? `Zerocast/${packageVersion}`;
  if (!/^[\x20-\x7e]+$/.test(userAgent) || userAgent.length > maxAgentLength) {
    throw badParameter(uri, 'user_agent', `write up to ${maxAgentLength} ASCII characters`);
  }
  return {
    url,
    codec: codec === 'auto' ? undefined : codec,
    prebufferMs: numberOf(parametersOf(context), 'prebuffer_ms', prebufferRange),
    wantsTitles: choiceOf(uri, 'title', ['icy', 'off']) === 'icy',
    userAgent,
  };
}
