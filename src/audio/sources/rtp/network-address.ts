import { isIP } from 'node:net';
import { SourceError } from '../../../base/errors.ts';
import { SampleFormat } from '../../sample-format.ts';
import { badParameter, choiceOf, numberOf, portOf, textOf } from '../../stream-parameters.ts';
import type { StreamUri } from '../../stream-uri.ts';
import { parametersOf, type SourceContext } from '../stream-source.ts';
import type { DatagramPlace } from './datagram-input.ts';
import type { RtpEncoding } from './sample-unpacking.ts';
import { isMulticast, type RtpSession } from './session-description.ts';

/** What an address `rtp://` or `udp://` says. */
export interface NetworkAddress {
  readonly mode: 'raw' | 'rtp';
  readonly place: DatagramPlace;
  readonly format: SampleFormat;
  /** 24 bits come without a container. */
  readonly packed24: boolean;
  readonly encoding: RtpEncoding;
  readonly payloadType: number | undefined;
  readonly ssrc: number | undefined;
  readonly jitterMs: number;
  readonly sap: Sap;
  /** Name of the announced session that is waited for; absent: the first that can be played. */
  readonly sessionName: string | undefined;
}

type Sap = 'off' | 'announce' | 'listen';

/** That of RTP. Source: RFC 3551, 8. */
const defaultPort = 5004;
const jitter = { fallback: 60, min: 0, max: 1000, unit: 'ms' };
const maxPayloadType = 127;
const maxSsrc = 0xffff_ffff;
/** Also the words of a proposal for the original. */
const sapWords: ReadonlyMap<string, Sap> = new Map([
  ['off', 'off'],
  ['false', 'off'],
  ['announce', 'announce'],
  ['true', 'announce'],
  ['listen', 'listen'],
]);
const staticFormats: ReadonlyMap<number, string> = new Map([
  [10, '44100:16:2'],
  [11, '44100:16:1'],
]);

/** Failure: throws a `SourceError` that names the parameter and what is allowed. */
export function readNetworkAddress(context: SourceContext): NetworkAddress {
  const { uri, session } = context;
  const parameters = parametersOf(context);
  const mode = uri.scheme === 'rtp' ? 'rtp' : choiceOf(uri, 'mode', ['raw', 'rtp']);
  const sap = sapOf(uri);
  const payloadType = session?.payloadType ?? integerOf(uri, 'payload_type', maxPayloadType);
  const jitterKey = textOf(uri, 'jitter_ms') === undefined ? 'buffer_ms' : 'jitter_ms';
  const shape = formatOf(context, { mode, payloadType });
  const address: NetworkAddress = {
    mode,
    place: placeOf(uri, session),
    ...shape,
    packed24: mode === 'raw' ? context.packed24 : shape.format.bits === 24,
    payloadType,
    ssrc: integerOf(uri, 'ssrc', maxSsrc),
    jitterMs: numberOf(parameters, jitterKey, jitter),
    sap,
    sessionName: textOf(uri, 'session'),
  };
  if (mode === 'raw' && sap !== 'off') {
    throw badParameter(uri, 'sap', 'it needs mode=rtp, as raw PCM cannot be described');
  }
  return address;
}

/** The same with what a session says that was announced. */
export function placeOf(uri: StreamUri, session: RtpSession | undefined): DatagramPlace {
  const source = textOf(uri, 'source') ?? session?.source;
  if (source !== undefined && isIP(source) === 0) {
    throw badParameter(uri, 'source', 'write the IP address of the sender');
  }
  return {
    address: uri.hostname || ownOrGroup(session),
    port: uri.port ?? session?.port ?? portOf(uri, 'port', defaultPort),
    source,
    iface: textOf(uri, 'iface'),
  };
}

/** A description that names no group names whom the sender has sent to, which is this machine. */
function ownOrGroup(session: RtpSession | undefined): string {
  return session && isMulticast(session.address) ? session.address : '';
}

function formatOf(
  { uri, format, formatIsExplicit, session }: SourceContext,
  { mode, payloadType }: Pick<NetworkAddress, 'mode' | 'payloadType'>,
): Pick<NetworkAddress, 'format' | 'encoding'> {
  if (mode === 'raw') return { format, encoding: 'L16' };
  const asked =
    textOf(uri, 'encoding') === undefined ? undefined : choiceOf(uri, 'encoding', ['L16', 'L24']);
  const known = knownFormat(payloadType, session);
  if (formatIsExplicit) {
    if (format.bits !== 16 && format.bits !== 24) {
      throw badParameter(
        uri,
        'sampleformat',
        'RTP has 16 or 24 bits: write for example 48000:24:2',
      );
    }
    if (known && (known.rateHz !== format.rateHz || known.channels !== format.channels)) {
      throw badParameter(uri, 'sampleformat', `what is sent is ${known}`);
    }
    const encoding = session?.encoding ?? asked ?? (known || format.bits === 16 ? 'L16' : 'L24');
    return { format, encoding };
  }
  const encoding = session?.encoding ?? asked ?? 'L16';
  const { rateHz, channels } = known ?? format;
  return {
    format: new SampleFormat({ rateHz, bits: encoding === 'L16' ? 16 : 24, channels }),
    encoding,
  };
}

function knownFormat(
  payloadType: number | undefined,
  session: RtpSession | undefined,
): SampleFormat | undefined {
  if (session) {
    const { rateHz, channels, encoding } = session;
    return new SampleFormat({ rateHz, bits: encoding === 'L16' ? 16 : 24, channels });
  }
  const text = staticFormats.get(payloadType ?? -1);
  return text === undefined ? undefined : SampleFormat.parse(text);
}

function sapOf(uri: StreamUri): Sap {
  const text = textOf(uri, 'sap');
  const sap = text === undefined ? 'off' : sapWords.get(text.toLowerCase());
  if (sap === undefined) throw badParameter(uri, 'sap', 'write announce, listen or off');
  return sap;
}

/** A number of which another one would be another sender. */
function integerOf(uri: StreamUri, key: string, max: number): number | undefined {
  const text = textOf(uri, key);
  if (text === undefined) return undefined;
  const value = /^(?:\d{1,10}|0x[\da-f]{1,8})$/i.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  throw badParameter(uri, key, `write a whole number from 0 to ${max}`);
}

/** Why a session that is announced does not fit a stream that plays. */
export function misfitOf(session: RtpSession, format: SampleFormat): SourceError | undefined {
  const { rateHz, channels } = session;
  if (rateHz === format.rateHz && channels === format.channels) return undefined;
  const bits = session.encoding === 'L16' ? 16 : 24;
  return new SourceError(
    'other-format',
    `the session "${session.name}" has ${rateHz} Hz and ${channels} channels: write sampleformat=${rateHz}:${bits}:${channels}`,
  );
}
