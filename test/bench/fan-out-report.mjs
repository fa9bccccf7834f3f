import { decimals, markdownTable, median } from './table.mjs';

/** The middle round of each percentile and the worst round of each maximum. */
function summariseSamples(samples) {
  return {
    p50: median(samples.map(({ p50 }) => p50)),
    p99: median(samples.map(({ p99 }) => p99)),
    max: Math.max(...samples.map(({ max }) => max)),
  };
}

function summariseGroup(group) {
  const { clients, server } = group[0];
  const whole = group.filter(({ failure }) => failure === undefined);
  if (whole.length === 0) return { clients, server, rounds: 0 };
  const perClientSec = (pick) =>
    median(
      whole.map(({ cpu, load }) => {
        const usedUs = pick(cpu);
        return usedUs === undefined ? undefined : (usedUs * 1000) / clients / load.windowMs;
      }),
    );
  const totalUs = perClientSec((cpu) => cpu.totalUs);
  const { chunkUs } = whole[0].load;
  return {
    clients,
    server,
    rounds: whole.length,
    userUs: perClientSec((cpu) => cpu.userUs),
    systemUs: perClientSec((cpu) => cpu.systemUs),
    totalUs,
    perChunkUs: (totalUs * chunkUs) / 1e6,
    coreShare: (totalUs * clients) / 1e6,
    chunkAgeUs: summariseSamples(whole.map(({ load }) => load.chunkAgeUs)),
    timeRoundTripUs: summariseSamples(whole.map(({ load }) => load.timeRoundTripUs)),
    firstChunkUs: summariseSamples(whole.map(({ load }) => load.firstChunkUs)),
  };
}

/**
 * One row per number of clients and server, medians over the rounds.
 *
 * Units: CPU in microseconds per client and second, `perChunkUs` per client and chunk.
 */
export function summarise(cases, baselineName) {
  const groups = new Map();
  for (const each of cases) {
    const key = `${each.clients} ${each.server}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  const rows = [...groups.values()].map(summariseGroup);
  return rows.map((row) => {
    const baseline = rows.find(
      ({ clients, server }) => clients === row.clients && server === baselineName,
    );
    const ofBaseline = row.rounds > 0 ? row.totalUs / baseline?.totalUs : undefined;
    return { ...row, ofBaseline: Number.isFinite(ofBaseline) ? ofBaseline : undefined };
  });
}

function milliseconds({ p50, p99, max }) {
  return [p50, p99, max]
    .map((timeUs) => (timeUs / 1000).toFixed(timeUs < 10_000 ? 2 : 1))
    .join(' / ');
}

function toCells(row) {
  const name = [String(row.clients), row.server];
  if (row.rounds === 0) return [...name, 'failed', '–', '–', '–', '–', '–', '–', '–'];
  return [
    ...name,
    `${decimals(row.userUs, 0)} + ${decimals(row.systemUs, 0)}`,
    decimals(row.totalUs, 0),
    decimals(row.perChunkUs, 2),
    row.ofBaseline === undefined ? '–' : `${decimals(row.ofBaseline * 100, 0)} %`,
    `${decimals(row.coreShare * 100, 1)} %`,
    milliseconds(row.chunkAgeUs),
    milliseconds(row.timeRoundTripUs),
    milliseconds(row.firstChunkUs),
  ];
}

/** CPU of the server only; ages and round trips as the clients see them. */
export function describeFanOut(rows) {
  const head = [
    'clients',
    'server',
    'user + system, µs/client/s',
    'CPU, µs/client/s',
    'µs/client/chunk',
    'of the baseline',
    'of one core',
    'chunk age p50/p99/max, ms',
    'time round trip p50/p99/max, ms',
    'first chunk p50/p99/max, ms',
  ];
  return markdownTable([head, ...rows.map(toCells)]);
}
