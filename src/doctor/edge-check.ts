import { parseStreamUri, type StreamUri } from '../audio/stream-uri.ts';
import { within } from '../base/time/within.ts';
import { originAddressOf } from '../edge/origin-address.ts';
import { OriginLink } from '../edge/origin-link.ts';
import type { DoctorContext } from './context.ts';
import { type Check, type Finding, fault, note, ok, warning } from './finding.ts';
import { NoteTaker } from './note-taker.ts';

const contactMs = 4000;
/** By this the origin knows us, which a snapserver remembers as a client. */
const ownName = 'zerocast-doctor';

interface OriginQuestion {
  readonly uri: StreamUri;
  readonly login: string;
  /** Streams that it should have. */
  readonly wanted: readonly string[];
  /** The setting that names it. */
  readonly setting: string;
}

/** The server from which an edge has its streams and its time. */
export function edgeCheck({ config: { edge } }: DoctorContext): Check {
  const { origin, login, streams } = edge;
  const wanted = streams.filter((name) => name !== '*');
  const setting = 'origin in [edge]';
  return {
    name: 'origin',
    run: () => checkOrigin({ uri: parseStreamUri(origin), login, wanted, setting }),
  };
}

/** A server from which streams come: whether it is there, has them, and tells the time. */
export async function checkOrigin(question: OriginQuestion): Promise<readonly Finding[]> {
  const { uri, login, setting } = question;
  const logger = new NoteTaker();
  const credentials = login
    ? { scheme: 'Basic', param: Buffer.from(login).toString('base64') }
    : undefined;
  const link = new OriginLink({
    address: originAddressOf(uri),
    name: ownName,
    logger,
    credentials,
  });
  try {
    link.open();
    await within(link.timeline.locked(), contactMs);
    if (link.bufferMs === undefined) {
      const [first] = logger.take();
      const text = `${uri.host} does not answer${first ? `: ${first.text}` : ''}`;
      return [fault(text, `start it, or correct ${setting}`)];
    }
    return [streamsFinding(link, question), ...missingStreams(link, question), timeFinding(link)];
  } finally {
    link.close();
  }
}

function streamsFinding({ facts, bufferMs }: OriginLink, { uri }: OriginQuestion): Finding {
  if (facts) {
    return ok(`${uri.host} has ${facts.streams.length} streams, and a buffer of ${bufferMs} ms`);
  }
  return note(
    `${uri.host} is a snapserver: it gives one stream, and a buffer of ${bufferMs} ms`,
    'let zerocast serve there, for all streams and for the time by UDP',
  );
}

function missingStreams(
  { facts }: OriginLink,
  { uri, wanted }: OriginQuestion,
): readonly Finding[] {
  if (!facts) return [];
  const present = facts.streams.map(({ id }) => id);
  return wanted
    .filter((name) => !present.includes(name))
    .map((name) =>
      warning(
        `${uri.host} has no stream "${name}"`,
        `name one that it has: ${present.join(', ') || 'none'}`,
      ),
    );
}

function timeFinding({ timeline, facts, isByUdp }: OriginLink): Finding {
  const { isLocked, errorBoundUs, leastRoundTripUs } = timeline.figures;
  if (!isLocked) return fault('it does not tell the time', 'see whether it is overloaded');
  const shown = (us: number) => `${(us / 1000).toFixed(2)} ms`;
  const text =
    `its time is known within ${shown(errorBoundUs)}, by ${isByUdp ? 'UDP' : 'TCP'}, ` +
    `round trip ${shown(leastRoundTripUs)}`;
  if (isByUdp || !facts?.time) return ok(text);
  return warning(text, `let UDP port ${facts.time.port} of that machine through`);
}
