import type { FanOutRow } from './fan-out-summary.ts';
import type { Target } from './targets.ts';

const leastClients = 1000;
const milliseconds = (timeUs: number | undefined) => timeUs && timeUs / 1000;
const percent = (share: number | undefined) => share && share * 100;

const isOurs = ({ format, clients, rounds, key }: FanOutRow) =>
  format === 'pcm48' && clients >= leastClients && rounds > 0 && key === 'native';
const isAuto = (row: FanOutRow) => isOurs(row) && row.sendInterval === 'auto';
const isAutoOfThousand = (row: FanOutRow) => isAuto(row) && row.clients === 1000;

/** What the default of the server must reach in format `pcm48`, from so many clients on. */
export const fanOutTargets: readonly Target<FanOutRow>[] = [
  {
    isFor: isAuto,
    what: 'of the CPU of the C loop with ten chunks per send',
    value: ({ ofLimit }) => percent(ofLimit),
    most: 115,
    unit: '%',
  },
  {
    isFor: (row) => isOurs(row) && row.sendInterval === '0',
    what: 'of the CPU of the C loop',
    value: ({ ofBaseline }) => percent(ofBaseline),
    most: 115,
    unit: '%',
  },
  {
    isFor: isAutoOfThousand,
    what: 'tick p99',
    value: ({ tickUs }) => milliseconds(tickUs?.p99),
    most: 2,
    unit: 'ms',
  },
  {
    isFor: isAutoOfThousand,
    what: 'Time round trip p99',
    value: ({ timeRoundTripUs }) => milliseconds(timeRoundTripUs?.p99),
    most: 5,
    unit: 'ms',
  },
  {
    isFor: isOurs,
    what: 'memory per client',
    value: ({ kibPerClient }) => kibPerClient,
    most: 24,
    unit: 'KiB',
  },
];
