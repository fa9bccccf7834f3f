import { startWriteLoop } from './baselines.ts';
import { type OpenedFormat, openFormat } from './formats.ts';
import { type LoadEvent, runLoadOn } from './load-run.ts';
import { closeObservation, openObservation } from './observation.ts';
import {
  type BenchContext,
  type BenchOptions,
  type BenchReport,
  type BenchServer,
  type Case,
  type CaseSetup,
  listFailures,
  runCases,
  wholeOf,
} from './run-cases.ts';
import { chunksPerAutoInterval } from './servers.ts';
import { decimals, groupBy, markdownTable, median } from './table.ts';
import { startZerocast } from './zerocast-server.ts';

const chunkMs = 20;
/** What we may allocate per chunk and client beyond Node's own writes: the noise of the measure. */
const maxOwnShare = 0.15;
/** The lines that every session logs each 30 seconds fall into some windows. */
const reportBytes = 16;
const observer = new URL('heap-observer.mjs', import.meta.url).href;
// A young generation that a whole window fits into, see heap-observer.mjs.
const nodeArgs = [
  '--expose-gc',
  '--min-semi-space-size=512',
  '--max-semi-space-size=512',
  '--import',
  observer,
];

/** What the heap observer prints. */
interface HeapSeen {
  readonly allocatedBytes: number;
  readonly elapsedMs: number;
  readonly collections: number;
}

interface HeapFigures {
  readonly bytesPerChunk: number;
}

interface HeapRow {
  readonly server: string;
  readonly points: readonly { readonly clients: number; readonly bytesPerChunk: number }[];
  readonly bytesPerChunkAndClient: number;
}

const loopOf = (chunksPerSend: number, format: OpenedFormat): BenchServer => ({
  name: `bare socket.write, ${chunksPerSend} chunk${chunksPerSend > 1 ? 's' : ''} each`,
  start: (context) => startWriteLoop({ ...context, format, chunksPerSend, nodeArgs }),
});

const zerocastAt = (sendInterval: string, format: OpenedFormat): BenchServer => ({
  name: `zerocast, send_interval ${sendInterval}`,
  start: (context) => startZerocast({ ...context, format, sendInterval, nodeArgs }),
});

async function measure(setup: CaseSetup): Promise<HeapFigures> {
  const { running } = setup;
  let seen: Promise<HeapSeen> | undefined;
  const onEvent = (event: LoadEvent) => {
    if (event === 'window-start') openObservation(running);
    if (event === 'window-end') seen = closeObservation(running, 'heap-observer');
    seen?.catch(() => {});
  };
  // Replies to Time requests allocate too; here only the audio path counts.
  await runLoadOn(setup, onEvent, { 'time-interval-ms': 0 });
  if (!seen) throw new Error('the heap was never looked at');
  const { allocatedBytes, elapsedMs, collections } = await seen;
  if (collections > 0) throw new Error('garbage was collected; use a shorter --window-ms');
  return { bytesPerChunk: (allocatedBytes * chunkMs) / elapsedMs };
}

function summarise(cases: readonly Case<HeapFigures>[]): HeapRow[] {
  return groupBy(wholeOf(cases), ({ server }) => server).map((group) => {
    const points = groupBy(group, ({ clients }) => clients).map((same) => ({
      clients: same[0]!.clients,
      bytesPerChunk: median(same.map(({ bytesPerChunk }) => bytesPerChunk))!,
    }));
    const [first, last] = [points[0]!, points.at(-1)!];
    const perClient =
      (last.bytesPerChunk - first.bytesPerChunk) / (last.clients - first.clients || 1);
    return { server: group[0]!.server, points, bytesPerChunkAndClient: perClient };
  });
}

function describe(rows: readonly HeapRow[]): string {
  const clients = rows[0]?.points.map((point) => point.clients) ?? [];
  const head = [
    'server',
    ...clients.map((count) => `${count} client${count > 1 ? 's' : ''}, bytes/chunk`),
    'slope, bytes/chunk/client',
  ];
  const body = rows.map(({ server, points, bytesPerChunkAndClient }) => [
    server,
    ...points.map(({ bytesPerChunk }) => decimals(bytesPerChunk, 0)),
    decimals(bytesPerChunkAndClient, 1),
  ]);
  return markdownTable([head, ...body]);
}

/** Zerocast's rows stand behind the loops that they are compared with. */
function listOwnAllocations(rows: readonly HeapRow[]): string[] {
  return rows.flatMap(({ server, bytesPerChunkAndClient }, index) => {
    const bare = rows[index - 1]?.bytesPerChunkAndClient ?? 0;
    if (index % 2 === 0 || !(bytesPerChunkAndClient > bare * (1 + maxOwnShare) + reportBytes))
      return [];
    const [own, base] = [decimals(bytesPerChunkAndClient, 1), decimals(bare, 1)];
    return [`${server}: ${own} bytes per chunk and client, bare writes need ${base}`];
  });
}

/**
 * JavaScript heap allocated per published chunk, against a bare `socket.write` of the same bytes to
 * the same number of sockets: the difference of the slopes is what our own code allocates.
 */
export async function runHeap(options: BenchOptions, context: BenchContext): Promise<BenchReport> {
  const format = await openFormat('pcm48', context);
  const servers = options.sendIntervals.flatMap((sendInterval) => [
    loopOf(sendInterval === '0' ? 1 : chunksPerAutoInterval, format),
    zerocastAt(sendInterval, format),
  ]);
  const cases = await runCases({ servers, measure, options, context });
  const rows = summarise(cases);
  const failures = [...listFailures(cases), ...listOwnAllocations(rows)];
  return { options, cases, rows, text: describe(rows), failures, path: 'loopback' };
}
