import { startWriteLoop } from './baselines.mjs';
import { openFormat } from './formats.mjs';
import { runLoad } from './load-run.mjs';
import { listFailures, runCases } from './run-cases.mjs';
import { decimals, markdownTable, median } from './table.mjs';
import { startZerocast } from './zerocast-server.mjs';

const chunkMs = 20;
// `auto` is 200 ms at the default buffer of 1 s.
const chunksPerAutoInterval = 10;
const reportLimitMs = 5000;
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

const loopOf = (chunksPerWrite, format) => ({
  name: `bare socket.write, ${chunksPerWrite} chunk${chunksPerWrite > 1 ? 's' : ''} each`,
  start: (context) => startWriteLoop({ ...context, format, chunksPerWrite, nodeArgs }),
});

const zerocastAt = (sendInterval, format) => ({
  name: `zerocast, send_interval ${sendInterval}`,
  start: (context) => startZerocast({ ...context, format, sendInterval, nodeArgs }),
});

async function measure({ running, port, clients, options, context }) {
  let report;
  const loadOptions = {
    port,
    clients,
    // Replies to Time requests allocate too; here only the audio path counts.
    'time-interval-ms': 0,
    'connects-per-second': options.connectsPerSec,
    'warm-up-ms': options.warmUpMs,
    'window-ms': options.windowMs,
  };
  await runLoad(context.loadClient, loadOptions, (event) => {
    if (event === 'joined') return;
    if (event === 'window-end') report = running.nextLine('heap-observer ', reportLimitMs);
    running.signal('SIGUSR2');
  });
  const { allocatedBytes, elapsedMs, collections } = JSON.parse(await report);
  if (collections > 0) throw new Error('garbage was collected; use a shorter --window-ms');
  return { bytesPerChunk: (allocatedBytes * chunkMs) / elapsedMs };
}

function summarise(cases) {
  const groups = new Map();
  for (const { server, clients, bytesPerChunk } of cases) {
    const group = groups.get(server) ?? new Map();
    group.set(clients, [...(group.get(clients) ?? []), bytesPerChunk]);
    groups.set(server, group);
  }
  return [...groups].map(([server, group]) => {
    const points = [...group].map(([clients, values]) => ({
      clients,
      bytesPerChunk: median(values),
    }));
    const [first, last] = [points[0], points.at(-1)];
    const perClient =
      (last.bytesPerChunk - first.bytesPerChunk) / (last.clients - first.clients || 1);
    return { server, points, bytesPerChunkAndClient: perClient };
  });
}

function describe(rows) {
  const clients = rows[0].points.map((point) => point.clients);
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
function listOwnAllocations(rows) {
  return rows.flatMap(({ server, bytesPerChunkAndClient }, index) => {
    const bare = rows[index - 1]?.bytesPerChunkAndClient;
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
export async function runHeap(options, context) {
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
