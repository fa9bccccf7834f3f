import { setTimeout as sleep } from 'node:timers/promises';
import { readMetrics } from '../support/metrics.mjs';

const calmLimitMs = 25_000;

/** What the server holds at a quiet moment. */
async function readLevels({ server, places }) {
  const figures = await readMetrics(places.httpPort);
  const descriptors = server.descriptors();
  return {
    sessions: figures.get('zerocast_sessions'),
    controllers: figures.get('zerocast_control_sessions'),
    usedSlots: figures.get('zerocast_pool_slots{state="used"}'),
    descriptors: Object.values(descriptors).reduce((sum, count) => sum + count, 0),
    kinds: descriptors,
    residentMiB: server.residentMiB(),
  };
}

/**
 * Waits until the server has come down to `limits`; resolves with the levels and what stayed above
 * them.
 */
export async function settle(world, limits) {
  const deadlineMs = performance.now() + calmLimitMs;
  for (;;) {
    let levels;
    let broken;
    try {
      levels = await readLevels(world);
      broken = excess(levels, limits);
    } catch (error) {
      broken = [`no figures: ${error.message}`];
    }
    if (broken.length === 0) return { levels, broken };
    const isHopeless = world.server.ending || world.problems.length > 0;
    if (isHopeless || performance.now() > deadlineMs) return { levels, broken };
    await sleep(250);
  }
}

function excess(levels, limits) {
  return Object.entries(limits).flatMap(([name, { most, least = 0 }]) => {
    const level = levels[name];
    if (level >= least && level <= most) return [];
    const range = least === most ? most : `${least} to ${most}`;
    const kinds = name === 'descriptors' ? `: ${JSON.stringify(levels.kinds)}` : '';
    return [`${name} stay at ${level} instead of ${range}${kinds}`];
  });
}

export const exactly = (count) => ({ least: count, most: count });
export const atMost = (most) => ({ most });

const leastPoints = 9;
/** Between the beginning and the end of a long run, when the heap has found its size. */
const memoryDriftMiB = 32;

/**
 * Whether memory grew all the time, too slowly for a single look. Shape: levels in their order.
 *
 * The heap rises until it is collected, so the lowest level of each third is the one that tells.
 */
export function drift(points) {
  if (points.length < leastPoints) return [];
  const third = Math.floor(points.length / 3);
  const before = lowestMiB(points.slice(1, 1 + third));
  const after = lowestMiB(points.slice(-third));
  if (after - before <= memoryDriftMiB) return [];
  return [`memory grew from ${Math.round(before)} to ${Math.round(after)} MiB`];
}

function lowestMiB(points) {
  return Math.min(...points.map(({ residentMiB }) => residentMiB));
}
