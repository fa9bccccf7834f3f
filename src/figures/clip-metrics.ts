import type { CopyStatistics } from '../clips/copy-statistics.ts';
import type { Metric } from './metric.ts';

const msPerSecond = 1000;

/** `read` gives nothing while no controller has asked for a clip. */
export function clipMetrics(read: () => Promise<CopyStatistics['figures'] | undefined>): Metric[] {
  const ways = async () => (await read())?.ways ?? [];
  return [
    {
      type: 'counter',
      name: 'zerocast_clip_copies_total',
      help: 'Files that were copied into the library of clips, by the way of copying',
      labels: ['way'],
      samples: async () =>
        (await ways()).map(({ way, copies: value }) => ({ labels: { way }, value })),
    },
    {
      type: 'counter',
      name: 'zerocast_clip_copied_bytes_total',
      help: 'Bytes of these files',
      labels: ['way'],
      samples: async () =>
        (await ways()).map(({ way, bytes: value }) => ({ labels: { way }, value })),
    },
    {
      type: 'counter',
      name: 'zerocast_clip_copy_seconds_total',
      help: 'Time that copying them took, until they were on the disk',
      labels: ['way'],
      samples: async () =>
        (await ways()).map(({ way, ms }) => ({ labels: { way }, value: ms / msPerSecond })),
    },
    {
      type: 'counter',
      name: 'zerocast_clip_copy_fallbacks_total',
      help: 'Ways of copying that the system refused, by its error; what it refuses is asked once',
      labels: ['way', 'reason'],
      samples: async () =>
        ((await read())?.fallbacks ?? []).map(({ way, reason, copies: value }) => ({
          labels: { way, reason },
          value,
        })),
    },
    {
      type: 'counter',
      name: 'zerocast_clip_copy_failures_total',
      help: 'Copies that failed or were given up',
      samples: async () => [{ value: (await read())?.failures ?? 0 }],
    },
    {
      type: 'counter',
      name: 'zerocast_clip_verification_failures_total',
      help: 'Of these, copies that differed from their source',
      samples: async () => [{ value: (await read())?.verificationFailures ?? 0 }],
    },
  ];
}
