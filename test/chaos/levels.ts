import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../bench/table.ts';
import { readMetrics } from '../support/metrics.ts';
import type { World } from './world.ts';

const calmLimitMs = 25_000;

/** What the server holds at a quiet moment. */
export interface Levels {
  readonly sessions: number;
  readonly controllers: number;
  readonly usedSlots: number;
  readonly variants: number;
  readonly descriptors: number;
  readonly residentMiB: number;
  /** Of those, what the pool of chunks holds. */
  readonly poolMiB: number;
  readonly heapMiB: number;
  readonly externalMiB: number;
  /** Descriptors by what they are. */
  readonly kinds: Readonly<Record<string, number>>;
}

export interface Range {
  readonly least?: number;
  readonly most: number;
}

export type Limits = Partial<Readonly<Record<Exclude<keyof Levels, 'kinds'>, Range>>>;

async function readLevels({ server, places }: World): Promise<Levels> {
  const figures = await readMetrics(places.httpPort);
  const figure = (name: string) => figures.get(name) ?? Number.NaN;
  const descriptors = server.descriptors();
  return {
    sessions: figure('zerocast_sessions'),
    controllers: figure('zerocast_control_sessions'),
    variants: sumOf(figures, 'zerocast_stream_variants'),
    usedSlots: figure('zerocast_pool_slots{state="used"}'),
    descriptors: Object.values(descriptors).reduce((sum, count) => sum + count, 0),
    kinds: descriptors,
    residentMiB: server.residentMiB(),
    poolMiB: figure('zerocast_pool_bytes') / 2 ** 20,
    heapMiB: figure('nodejs_heap_size_total_bytes') / 2 ** 20,
    externalMiB: figure('nodejs_external_memory_bytes') / 2 ** 20,
  };
}

/** Over all streams. */
function sumOf(figures: ReadonlyMap<string, number>, name: string): number {
  let sum = 0;
  for (const [key, value] of figures) if (key.startsWith(`${name}{`)) sum += value;
  return sum;
}

/**
 * Waits until the server has come down to `limits`; resolves with the levels and what stayed above
 * them.
 */
export async function settle(
  world: World,
  limits: Limits,
): Promise<{ readonly levels: Levels | undefined; readonly broken: readonly string[] }> {
  const deadlineMs = performance.now() + calmLimitMs;
  for (;;) {
    let levels: Levels | undefined;
    let broken: string[];
    try {
      levels = await readLevels(world);
      broken = excess(levels, limits);
    } catch (error) {
      broken = [`no figures: ${error}`];
    }
    if (broken.length === 0) return { levels, broken };
    const isHopeless = world.server.ending || world.problems.length > 0;
    if (isHopeless || performance.now() > deadlineMs) return { levels, broken };
    await sleep(250);
  }
}

function excess(levels: Levels, limits: Limits): string[] {
  return Object.entries(limits).flatMap(([name, { most, least = 0 }]) => {
    const level = levels[name as keyof Limits];
    if (level >= least && level <= most) return [];
    const range = least === most ? most : `${least} to ${most}`;
    const kinds = name === 'descriptors' ? `: ${JSON.stringify(levels.kinds)}` : '';
    return [`${name} stay at ${level} instead of ${range}${kinds}`];
  });
}

export const exactly = (count: number): Range => ({ least: count, most: count });
export const atMost = (most: number): Range => ({ most });

const leastPoints = 9;
/** Between the beginning and the end of a long run, when the heap has found its size. */
const memoryDriftMiB = 32;

/**
 * Whether memory grew all the time, too slowly for a single look. Shape: levels in their order.
 *
 * The heap rises until it is collected, and a slab that is new in the pool is not resident before it
 * is used, so one level tells little: the middle one of each third does. The pool is as large as the
 * streams want it, and keeps what is free for minutes; whether chunks get lost shows in the slots in
 * use.
 */
export function drift(points: readonly Levels[]): string[] {
  if (points.length < leastPoints) return [];
  const third = Math.floor(points.length / 3);
  const before = medianMiB(points.slice(1, 1 + third));
  const after = medianMiB(points.slice(-third));
  if (after - before <= memoryDriftMiB) return [];
  return [`memory grew from ${Math.round(before)} to ${Math.round(after)} MiB`];
}

function medianMiB(points: readonly Levels[]): number {
  return median(points.map(({ residentMiB, poolMiB }) => residentMiB - poolMiB)) ?? Number.NaN;
}
