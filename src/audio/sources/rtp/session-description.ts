import { isIP } from 'node:net';
import { messageOf, SourceError } from '../../../base/errors.ts';
import { cutText } from '../../../base/foreign-text.ts';
import { maxChannels, maxRateHz } from '../../sample-format.ts';
import type { RtpEncoding } from './sample-unpacking.ts';

/** What is sent where, as far as it can be played. */
export interface RtpSession {
  readonly name: string;
  /** Tells sessions of all senders apart. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** Who sends to the group; absent: any sender. */
  readonly source?: string | undefined;
  readonly payloadType: number;
  readonly encoding: RtpEncoding;
  readonly rateHz: number;
  readonly channels: number;
}

/** Descriptions come from the network; longer ones describe no audio alone. */
export const maxDescriptionBytes = 8192;
/** No line that is read here is longer, and patterns are matched to each of them. */
const maxLineLength = 512;
const maxShownLength = 80;
/** Source: RFC 3551, table 4. */
const staticTypes: ReadonlyMap<
  number,
  Pick<RtpSession, 'encoding' | 'rateHz' | 'channels'>
> = new Map([
  [10, { encoding: 'L16', rateHz: 44_100, channels: 2 }],
  [11, { encoding: 'L16', rateHz: 44_100, channels: 1 }],
]);

/**
 * Reads the first session of SDP text that holds L16 or L24.
 *
 * Failure: rejects with a `SourceError` that says what is missing.
 * Source: RFC 4566, RFC 3190, RFC 4570.
 */
export async function readSessionDescription(text: string): Promise<RtpSession> {
  if (!/^v=0\s/.test(text)) throw unusable('it does not begin with v=0');
  const lines = text.slice(0, maxDescriptionBytes).split('\n');
  const legible = lines.filter((line) => line.length <= maxLineLength).join('\n');
  const { parse } = await import('sdp-transform');
  try {
    const parsed = parse(legible);
    const { media, origin } = parsed;
    const audio = media.filter(({ type, port }) => type === 'audio' && port > 0);
    for (const medium of audio) {
      const encoding = playable(medium);
      if (!encoding) continue;
      const connection = medium.connection ?? parsed.connection;
      // A group may have a time to live, and a number of groups, behind it.
      const [address = ''] = String(connection?.ip ?? '').split('/');
      const filter = medium.sourceFilter ?? parsed.sourceFilter;
      const [source] = filter?.filterMode === 'incl' ? filter.srcList.trim().split(/\s+/) : [];
      const { port } = medium;
      if (!isIP(address)) throw unusable('it has no address: c=IN IP4 ...');
      if (!(port <= 65_535)) throw unusable('its port is none');
      const id = origin ? `${origin.username} ${origin.sessionId} ${origin.address}` : '';
      const name = cutText(String(parsed.name ?? ''), maxShownLength);
      return {
        name,
        id,
        address,
        port,
        source: source && isIP(source) ? source : undefined,
        ...encoding,
      };
    }
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    throw unusable(messageOf(cause), cause);
  }
  throw unusable('no m=audio of it has L16 or L24');
}

interface Medium {
  readonly payloads?: string | undefined;
  readonly rtp: readonly {
    readonly payload: number;
    readonly codec: string;
    readonly rate?: number | undefined;
    readonly encoding?: number | undefined;
  }[];
}

/** The first payload type of a medium that can be played. */
function playable({ payloads, rtp }: Medium) {
  for (const word of String(payloads ?? '').split(' ')) {
    const payloadType = Number(word);
    if (!Number.isInteger(payloadType) || payloadType < 0 || payloadType > 127) continue;
    const map = rtp.find(({ payload }) => payload === payloadType);
    const named = staticTypes.get(payloadType);
    if (!map && named) return { payloadType, ...named };
    const encoding = (['L16', 'L24'] as const).find((known) => known === map?.codec.toUpperCase());
    const { rate = 0, encoding: channels = 1 } = map ?? {};
    const isPlayable = rate >= 1 && rate <= maxRateHz && channels >= 1 && channels <= maxChannels;
    if (encoding && isPlayable) return { payloadType, encoding, rateHz: rate, channels };
  }
  return undefined;
}

/** The text for a session that this server receives. */
export function writeSessionDescription(
  session: Omit<RtpSession, 'id' | 'source'>,
  { sessionId, ownAddress }: { readonly sessionId: number; readonly ownAddress: string },
): string {
  const { name, address, port, payloadType, encoding, rateHz, channels } = session;
  const kind = (text: string) => `IP${isIP(text)} ${text}`;
  return [
    'v=0',
    `o=- ${sessionId} 1 IN ${kind(ownAddress)}`,
    `s=${name.replace(/[\r\n]/g, ' ')}`,
    `c=IN ${kind(address)}${isMulticast(address) && isIP(address) === 4 ? '/32' : ''}`,
    't=0 0',
    `m=audio ${port} RTP/AVP ${payloadType}`,
    `a=rtpmap:${payloadType} ${encoding}/${rateHz}/${channels}`,
    'a=recvonly',
    '',
  ].join('\r\n');
}

export function isMulticast(address: string): boolean {
  return isIP(address) === 6
    ? /^ff/i.test(address)
    : /^(?:22[4-9]|23\d)\./.test(address) && isIP(address) === 4;
}

function unusable(reason: string, cause?: unknown): SourceError {
  return new SourceError('bad-sdp', `the session description cannot be played: ${reason}`, {
    cause,
  });
}
