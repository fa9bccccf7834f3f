import type { OriginLink } from '../edge/origin-link.ts';
import type { Metric } from './metric.ts';

const usPerSecond = 1e6;

/** How an edge stands with its origin. What is not known yet has no value. */
export function edgeMetrics(link: OriginLink): Metric[] {
  const metric = (
    type: Metric['type'],
    name: string,
    { help, value }: { help: string; value: (of: OriginLink['timeline']['figures']) => number },
  ): Metric => ({
    type,
    name: `zerocast_${name}`,
    help,
    samples: () => {
      const number = value(link.timeline.figures);
      return Number.isFinite(number) ? [{ value: number }] : [];
    },
  });
  return [
    metric('gauge', 'edge_connected', {
      help: '1 while there is a connection to the origin',
      value: () => Number(link.isUp),
    }),
    metric('gauge', 'edge_time_error_seconds', {
      help: 'The most by which the time may differ from that of the origin',
      value: ({ errorBoundUs }) => errorBoundUs / usPerSecond,
    }),
    metric('gauge', 'edge_time_offset_seconds', {
      help: 'The time of the origin less the clock of this machine',
      value: ({ offsetUs }) => offsetUs / usPerSecond,
    }),
    metric('gauge', 'edge_time_rate_ppm', {
      help: 'By how many millionths the clock of the origin runs faster than that of this machine',
      value: ({ ratePpm }) => ratePpm,
    }),
    metric('gauge', 'edge_time_round_trip_seconds', {
      help: 'The shortest round trip of the last minute',
      value: ({ leastRoundTripUs }) => leastRoundTripUs / usPerSecond,
    }),
    metric('gauge', 'edge_time_silence_seconds', {
      help: 'Since when the origin has not told the time',
      value: ({ silentUs }) => silentUs / usPerSecond,
    }),
    metric('counter', 'edge_time_exchanges_total', {
      help: 'Times that the origin has told the time',
      value: ({ exchanges }) => exchanges,
    }),
    metric('counter', 'edge_time_breaks_total', {
      help: 'Times that the time of the origin was another one all of a sudden',
      value: ({ breaks }) => breaks,
    }),
  ];
}
