import { decimals } from './table.mjs';

const percentOfBaseline = ({ ofBaseline }) => ofBaseline && ofBaseline * 100;
const milliseconds = (timeUs) => timeUs && timeUs / 1000;

/** What the default of the server must reach in format `pcm48`, from so many clients on. */
const targets = [
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

function isMeant(row, of) {
  if (row.format !== 'pcm48' || row.clients < leastClients || row.rounds === 0) return false;
  return Object.entries(of).every(([name, value]) => row[name] === value);
}

/** One line per target and row that have a figure; without the C loop there is no share of it. */
export function checkTargets(rows) {
  return targets.flatMap(({ of, what, value, most, unit }) =>
    rows
      .filter((row) => isMeant(row, of) && value(row) !== undefined)
      .map((row) => {
        const measured = value(row);
        const text =
          `${row.clients} clients, ${row.server}: ${what} ${decimals(measured, 1)} ${unit}, ` +
          `target at most ${most} ${unit}`;
        return { text, isMet: measured <= most };
      }),
  );
}
