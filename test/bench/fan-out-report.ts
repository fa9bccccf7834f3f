import type { FanOutRow } from './fan-out-summary.ts';
import { describeFormat, type OpenedFormat } from './formats.ts';
import type { Samples } from './load-run.ts';
import type { SystemCallCounter } from './system-calls.ts';
import { decimals, markdownTable } from './table.ts';

function milliseconds(samples: Samples | undefined): string {
  if (samples === undefined) return '–';
  return [samples.p50, samples.p99, samples.max]
    .map((timeUs) => (timeUs / 1000).toFixed(timeUs < 10_000 ? 2 : 1))
    .join(' / ');
}

function percent(share: number | undefined, digits: number): string {
  return share === undefined ? '–' : `${decimals(share * 100, digits)} %`;
}

const systemCallsHead = 'system calls/client/s';

/** The head of each column and what stands in it. */
const columns: Readonly<Record<string, (row: FanOutRow) => string>> = {
  clients: ({ clients }) => String(clients),
  server: ({ server }) => server,
  'user + system, µs/client/s': ({ userUs, systemUs }) =>
    `${decimals(userUs, 0)} + ${decimals(systemUs, 0)}`,
  'CPU, µs/client/s': ({ totalUs }) => decimals(totalUs, 0),
  'µs/client/chunk': ({ perChunkUs }) => decimals(perChunkUs, 2),
  'of the C loop': ({ ofBaseline }) => percent(ofBaseline, 0),
  'of the one with ten': ({ ofLimit }) => percent(ofLimit, 0),
  'of one core': ({ coreShare }) => percent(coreShare, 1),
  [systemCallsHead]: ({ systemCalls }) => decimals(systemCalls, 1),
  'tick p50/p99/max, ms': ({ tickUs }) => milliseconds(tickUs),
  'memory, KiB/client': ({ kibPerClient }) => decimals(kibPerClient, 1),
  'chunk age p50/p99/max, ms': ({ chunkAgeUs }) => milliseconds(chunkAgeUs),
  'time round trip p50/p99/max, ms': ({ timeRoundTripUs }) => milliseconds(timeRoundTripUs),
  'first chunk p50/p99/max, ms': ({ firstChunkUs }) => milliseconds(firstChunkUs),
};

function describeRows(rows: readonly FanOutRow[], heads: readonly string[]): string {
  const body = rows.map((row) => {
    if (row.rounds > 0) return heads.map((head) => columns[head]!(row));
    return heads.map((_, i) => [String(row.clients), row.server, 'failed'][i] ?? '–');
  });
  return markdownTable([heads, ...body]);
}

/** A table per format: CPU of the server only, ages and round trips as the clients see them. */
export function describeFanOut(
  rows: readonly FanOutRow[],
  {
    formats,
    counter,
  }: { formats: readonly OpenedFormat[]; counter: SystemCallCounter | undefined },
): string {
  const heads = Object.keys(columns).filter((head) => counter || head !== systemCallsHead);
  return formats
    .map((format) => {
      const own = rows.filter((row) => row.format === format.name);
      return `### ${format.name}\n\n${describeFormat(format)}\n\n${describeRows(own, heads)}`;
    })
    .join('\n\n');
}

/** What the columns mean that cannot be guessed. */
export function describeMethod({
  counter,
  observerShare,
}: {
  readonly counter: SystemCallCounter | undefined;
  readonly observerShare: number | undefined;
}): string {
  const sentences = [
    'A tick is one call that publishes a chunk, or that goes on delivering it; memory is resident ' +
      'memory of the server per client beyond the first ten, which at few clients is mostly drift.',
  ];
  if (observerShare !== undefined) {
    const share = decimals(observerShare * 100, 2);
    sentences.push(`Observing the ticks took at most ${share} % of the CPU shown.`);
  }
  if (counter) {
    sentences.push(`System calls: counted by ${counter.name} in 2 s after the window.`);
  }
  return sentences.join(' ');
}
