import type { PlayerServer } from '../players/player-server.ts';
import { addSends, type SendStatistics } from '../transport/send-statistics.ts';
import type { Metric } from './metric.ts';

/** What was sent up to one moment: read once for all figures, as it takes a call per client. */
export interface Sends {
  /** Sessions that are gone included. */
  readonly total: SendStatistics;
  readonly ofClients: readonly { readonly id: string; readonly sends: SendStatistics }[];
}

export function readSends(server: PlayerServer): Sends {
  const total = server.endedSends;
  const ofClients: { id: string; sends: SendStatistics }[] = [];
  for (const { client, path } of server.sessions) {
    const sends = path.totals;
    addSends(total, sends);
    if (client) ofClients.push({ id: client.id, sends });
  }
  return { total, ofClients };
}

const figures: readonly (readonly [keyof SendStatistics, string, string])[] = [
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

/** What all audio together did. */
export function sendMetrics(sends: () => Sends): Metric[] {
  return figures.map(([key, name, help]) => ({
    type: 'counter',
    name: `zerocast_${name}`,
    help,
    samples: () => [{ value: sends().total[key] }],
  }));
}

/** What tells how a client fares; the rest would be too much for a thousand of them. */
const clientFigures: readonly (readonly [keyof SendStatistics, string, string])[] = [
  ['chunks', 'client_chunks_total', 'Chunks given to the socket of the client'],
  ['lostChunks', 'client_skipped_chunks_total', 'Chunks skipped for the client'],
  ['partialSends', 'client_partial_sends_total', 'Sends of which the kernel took only a part'],
];

/** The same for each client that is connected. */
export function clientMetrics(sends: () => Pick<Sends, 'ofClients'>): Metric[] {
  return clientFigures.map(([key, name, help]) => ({
    type: 'counter',
    name: `zerocast_${name}`,
    help,
    labels: ['client'],
    samples: () =>
      sends().ofClients.map(({ id, sends }) => ({ labels: { client: id }, value: sends[key] })),
  }));
}
