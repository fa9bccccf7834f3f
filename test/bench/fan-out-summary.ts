import type { CpuTime } from './cpu-time.ts';
import type { FanOutFigures } from './fan-out-case.ts';
import type { Samples } from './load-run.ts';
import { type Case, type WholeCase, wholeOf } from './run-cases.ts';
import { groupBy, median } from './table.ts';

type FanOutCase = Case<FanOutFigures>;

/**
 * One format, number of clients and server, medians over the rounds.
 *
 * Units: CPU in microseconds per client and second, `perChunkUs` per client and chunk.
 */
export interface FanOutRow extends Partial<ReturnType<typeof summariseCpu>> {
  readonly format: string | undefined;
  readonly clients: number;
  readonly key: string | undefined;
  readonly server: string;
  readonly sendInterval: string | undefined;
  /** 0 when all have failed; then there is nothing else. */
  readonly rounds: number;
  readonly systemCalls?: number | undefined;
  readonly kibPerClient?: number | undefined;
  readonly tickUs?: Samples | undefined;
  readonly chunkAgeUs?: Samples | undefined;
  readonly timeRoundTripUs?: Samples | undefined;
  readonly firstChunkUs?: Samples | undefined;
  /** Of the CPU of the loop in C. */
  readonly ofBaseline?: number | undefined;
  /** Of that of the loop in C which sends ten chunks at a time. */
  readonly ofLimit?: number | undefined;
}

/** The middle round of each percentile and the worst round of each maximum. */
function summariseSamples(all: readonly (Samples | null | undefined)[]): Samples | undefined {
  const samples = all.filter((each) => each !== undefined && each !== null);
  const [p50, p99] = [median(samples.map((one) => one.p50)), median(samples.map((one) => one.p99))];
  if (p50 === undefined || p99 === undefined) return undefined;
  return { p50, p99, max: Math.max(...samples.map(({ max }) => max)) };
}

function summariseCpu(whole: readonly WholeCase<FanOutFigures>[], clients: number) {
  const perClientSec = (pick: (cpu: CpuTime) => number | undefined) =>
    median(
      whole.map(({ cpu, load }) => {
        const usedUs = pick(cpu);
        return usedUs === undefined ? undefined : (usedUs * 1000) / clients / load.windowMs;
      }),
    );
  const totalUs = perClientSec((cpu) => cpu.totalUs) ?? Number.NaN;
  return {
    userUs: perClientSec((cpu) => cpu.userUs),
    systemUs: perClientSec((cpu) => cpu.systemUs),
    totalUs,
    perChunkUs: (totalUs * (whole[0]?.load.chunkUs ?? Number.NaN)) / 1e6,
    coreShare: (totalUs * clients) / 1e6,
  };
}

function summariseGroup(group: readonly FanOutCase[]): FanOutRow {
  const { format, clients, key, server, sendInterval } = group[0]!;
  const name = { format, clients, key, server, sendInterval };
  const whole = wholeOf(group);
  if (whole.length === 0) return { ...name, rounds: 0 };
  const samples = (pick: (one: FanOutFigures) => Samples | undefined) =>
    summariseSamples(whole.map(pick));
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

export function summarise(cases: readonly FanOutCase[]): FanOutRow[] {
  const groups = groupBy(cases, ({ format, clients, server }) => `${format} ${clients} ${server}`);
  const rows = groups.map(summariseGroup);
  return rows.map((row) => {
    const shareOf = (loop: string) => {
      const baseline = rows.find(
        ({ format, clients, key }) =>
          key === loop && format === row.format && clients === row.clients,
      );
      const share = (row.totalUs ?? Number.NaN) / (baseline?.totalUs ?? Number.NaN);
      return Number.isFinite(share) ? share : undefined;
    };
    return { ...row, ofBaseline: shareOf('c'), ofLimit: shareOf('c10') };
  });
}

/** The largest part of the CPU of any case that went into observing its ticks, 0..1. */
export function observerShare(cases: readonly FanOutCase[]): number | undefined {
  const shares = wholeOf(cases)
    .map(({ observerUs, cpu }) => (observerUs ?? Number.NaN) / cpu.totalUs)
    .filter((share) => !Number.isNaN(share));
  return shares.length > 0 ? Math.max(...shares) : undefined;
}
