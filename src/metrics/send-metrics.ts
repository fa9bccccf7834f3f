import type { Session } from '../server/session.ts';
import type { StreamServer } from '../server/stream-server.ts';
import type { SendStatistics } from '../transport/send-statistics.ts';
import type { Metric, Sample } from './metric.ts';

const sendFigures: readonly (readonly [keyof SendStatistics, string, string])[] = [
  ['regularSends', 'regular_sends_total', 'Sends that copied the audio into the kernel'],
  ['regularBytes', 'regular_bytes_total', 'Bytes of these sends'],
  ['zeroCopySends', 'zerocopy_sends_total', 'Sends that the kernel accepted with MSG_ZEROCOPY'],
  ['zeroCopyBytes', 'zerocopy_bytes_total', 'Bytes of these sends'],
  ['zeroCopyCopied', 'zerocopy_copied_total', 'Zero-copy sends that the kernel copied after all'],
  ['partialSends', 'partial_sends_total', 'Sends of which the kernel took only a part'],
  ['wouldBlock', 'refused_sends_total', 'Sends of which the kernel took nothing (EAGAIN)'],
  ['noBuffers', 'enobufs_total', 'Zero-copy sends that had to go out plainly (ENOBUFS)'],
  ['coordinationFallbacks', 'coordination_fallbacks_total', 'Ticks in which a socket was reserved'],
  ['chunks', 'chunks_total', 'Chunks given to sockets, per client that got them'],
  ['lostChunks', 'skipped_chunks_total', 'Chunks that were skipped because they were too old'],
];

/** What all audio together did, sessions that are gone included. */
export function sendMetrics(server: StreamServer): Metric[] {
  return sendFigures.map(([key, name, help]) => ({
    type: 'counter',
    name: `zerocast_${name}`,
    help,
    samples: () => [{ value: server.sendTotals[key] }],
  }));
}

/** What fares worst is seen per client; the rest would be too much for a thousand of them. */
const clientFigures: readonly (readonly [keyof SendStatistics, string, string])[] = [
  ['chunks', 'client_chunks_total', 'Chunks given to the socket of the client'],
  ['lostChunks', 'client_skipped_chunks_total', 'Chunks skipped for the client'],
  ['partialSends', 'client_partial_sends_total', 'Sends of which the kernel took only a part'],
];

/** The same for each client that is connected. */
export function clientMetrics(server: StreamServer): Metric[] {
  return clientFigures.map(([key, name, help]) => ({
    type: 'counter',
    name: `zerocast_${name}`,
    help,
    labels: ['client'],
    samples: () => samplesOf(server.sessions, key),
  }));
}

function* samplesOf(sessions: Iterable<Session>, key: keyof SendStatistics): Iterable<Sample> {
  for (const { client, path } of sessions) {
    if (client) yield { labels: { client: client.id }, value: path.totals[key] };
  }
}
