import type { FanOutRow } from './fan-out-summary.ts';
import { decimals } from './table.ts';

interface Target {
  readonly of: Partial<FanOutRow>;
  readonly what: string;
  readonly value: (row: FanOutRow) => number | undefined;
  readonly most: number;
  readonly unit: string;
}

const percentOfBaseline = ({ ofBaseline }: FanOutRow) => ofBaseline && ofBaseline * 100;
const milliseconds = (timeUs: number | undefined) => timeUs && timeUs / 1000;

/** What the default of the server must reach in format `pcm48`, from so many clients on. */
const targets: readonly Target[] = [
  {
    of: { key: 'native', sendInterval: 'auto' },
    what: 'of the CPU of the C loop',
    value: percentOfBaseline,
    most: 30,
    unit: '%',
  },
  {
    of: { key: 'native', sendInterval: '0' },
    what: 'of the CPU of the C loop',
    value: percentOfBaseline,
    most: 115,
    unit: '%',
  },
  {
    of: { key: 'native', sendInterval: 'auto', clients: 1000 },
    what: 'tick p99',
    value: ({ tickUs }) => milliseconds(tickUs?.p99),
    most: 2,
    unit: 'ms',
  },
  {
    of: { key: 'native', sendInterval: 'auto', clients: 1000 },
    what: 'Time round trip p99',
    value: ({ timeRoundTripUs }) => milliseconds(timeRoundTripUs?.p99),
    most: 5,
    unit: 'ms',
  },
  {
    of: { key: 'native' },
    what: 'memory per client',
    value: ({ kibPerClient }) => kibPerClient,
    most: 24,
    unit: 'KiB',
  },
];

const leastClients = 1000;

function isMeant(row: FanOutRow, of: Partial<FanOutRow>): boolean {
  if (row.format !== 'pcm48' || row.clients < leastClients || row.rounds === 0) return false;
  return Object.entries(of).every(([name, value]) => row[name as keyof FanOutRow] === value);
}

/** One line per target and row that have a figure; without the C loop there is no share of it. */
export function checkTargets(
  rows: readonly FanOutRow[],
): { readonly text: string; readonly isMet: boolean }[] {
  return targets.flatMap(({ of, what, value, most, unit }) =>
    rows
      .filter((row) => isMeant(row, of))
      .flatMap((row) => {
        const measured = value(row);
        if (measured === undefined) return [];
        const text =
          `${row.clients} clients, ${row.server}: ${what} ${decimals(measured, 1)} ${unit}, ` +
          `target at most ${most} ${unit}`;
        return [{ text, isMet: measured <= most }];
      }),
  );
}
