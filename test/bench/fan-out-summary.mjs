import { median } from './table.mjs';

/** The middle round of each percentile and the worst round of each maximum. */
function summariseSamples(all) {
  const samples = all.filter((each) => each !== undefined && each !== null);
  if (samples.length === 0) return undefined;
  return {
    p50: median(samples.map(({ p50 }) => p50)),
    p99: median(samples.map(({ p99 }) => p99)),
    max: Math.max(...samples.map(({ max }) => max)),
  };
}

function summariseCpu(whole, clients) {
  const perClientSec = (pick) =>
    median(
      whole.map(({ cpu, load }) => {
        const usedUs = pick(cpu);
        return usedUs === undefined ? undefined : (usedUs * 1000) / clients / load.windowMs;
      }),
    );
  const totalUs = perClientSec((cpu) => cpu.totalUs);
  return {
    userUs: perClientSec((cpu) => cpu.userUs),
    systemUs: perClientSec((cpu) => cpu.systemUs),
    totalUs,
    perChunkUs: (totalUs * whole[0].load.chunkUs) / 1e6,
    coreShare: (totalUs * clients) / 1e6,
  };
}

function summariseGroup(group) {
  const { format, clients, key, server, sendInterval } = group[0];
  const name = { format, clients, key, server, sendInterval };
  const whole = group.filter(({ failure }) => failure === undefined);
  if (whole.length === 0) return { ...name, rounds: 0 };
  const samples = (pick) => summariseSamples(whole.map(pick));
  return {
    ...name,
    rounds: whole.length,
    ...summariseCpu(whole, clients),
    systemCalls: median(whole.map(({ systemCalls }) => systemCalls)),
    kibPerClient: median(whole.map(({ kibPerClient }) => kibPerClient)),
    tickUs: samples(({ tickUs }) => tickUs),
    chunkAgeUs: samples(({ load }) => load.chunkAgeUs),
    timeRoundTripUs: samples(({ load }) => load.timeRoundTripUs),
    firstChunkUs: samples(({ load }) => load.firstChunkUs),
  };
}

/**
 * One row per format, number of clients and server, medians over the rounds.
 *
 * Units: CPU in microseconds per client and second, `perChunkUs` per client and chunk.
 */
export function summarise(cases) {
  const groups = new Map();
  for (const each of cases) {
    const row = `${each.format} ${each.clients} ${each.server}`;
    groups.set(row, [...(groups.get(row) ?? []), each]);
  }
  const rows = [...groups.values()].map(summariseGroup);
  return rows.map((row) => {
    const baseline = rows.find(
      ({ format, clients, key }) => key === 'c' && format === row.format && clients === row.clients,
    );
    const ofBaseline = row.totalUs / baseline?.totalUs;
    return { ...row, ofBaseline: Number.isFinite(ofBaseline) ? ofBaseline : undefined };
  });
}

/** The largest part of the CPU of any case that went into observing its ticks, 0..1. */
export function observerShare(cases) {
  const shares = cases
    .filter(({ observerUs }) => observerUs !== undefined)
    .map(({ observerUs, cpu }) => observerUs / cpu.totalUs);
  return shares.length > 0 ? Math.max(...shares) : undefined;
}
