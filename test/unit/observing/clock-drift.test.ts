import { describe, expect, it } from 'vitest';
import { ClockDrift } from '../../../src/observing/clock-drift.ts';
import { Random } from '../../support/random.ts';

interface Player {
  readonly ppm: number;
  readonly seconds: number;
  /** Beyond the shortest way; most requests wait for less. */
  readonly jitterMs: number;
  readonly seed?: number;
  /** From when its clock shows so much more. */
  readonly step?: { readonly atSecond: number; readonly byMs: number };
}

/** What is found out about the clock of a player that asks for the time once a second. */
function watched({ ppm, seconds, jitterMs, seed = 1, step }: Player): ClockDrift {
  const random = new Random(seed);
  const drift = new ClockDrift();
  for (let second = 1; second <= seconds; second += 1) {
    const sentUs = second * 1e6 + random.below(50_000);
    const stepUs = step && second >= step.atSecond ? step.byMs * 1000 : 0;
    const askedUs = Math.round(7e9 + sentUs * (1 + ppm / 1e6) + stepUs);
    // Short waits are frequent and long ones rare.
    const waitUs = -Math.log(1 - random.next()) * jitterMs * 1000;
    drift.add({ askedUs, receivedUs: sentUs + 400 + waitUs });
  }
  return drift;
}

describe('the drift of a clock', () => {
  it.each([-200, -20, 0, 20, 200])('of %d ppm is told to 2 ppm after two minutes', (ppm) => {
    const { ppm: found } = watched({ ppm, seconds: 120, jitterMs: 0.3 });
    expect(Math.abs(found! - ppm)).toBeLessThan(2);
  });

  it.each([
    [-200, 1],
    [200, 2],
    [0, 3],
  ])('of %d ppm is told to 25 ppm over a bad network (seed %d)', (ppm, seed) => {
    const { ppm: found } = watched({ ppm, seconds: 300, jitterMs: 10, seed });
    expect(Math.abs(found! - ppm)).toBeLessThan(25);
  });

  it('is not told before half a minute has passed', () => {
    expect(watched({ ppm: 50, seconds: 25, jitterMs: 0 }).ppm).toBeUndefined();
    expect(watched({ ppm: 50, seconds: 50, jitterMs: 0 }).ppm).toBeCloseTo(50, 0);
  });

  it.each([60_000, -60_000])('begins anew when the clock is set by %d ms', (byMs) => {
    const step = { atSecond: 100, byMs };
    expect(watched({ ppm: 30, seconds: 120, jitterMs: 0, step }).ppm).toBeUndefined();
    expect(watched({ ppm: 30, seconds: 160, jitterMs: 0, step }).ppm).toBeCloseTo(30, 0);
  });

  it('is not told of a player that sends no time, or always the same', () => {
    const drift = new ClockDrift();
    for (let second = 1; second < 100; second += 1) {
      drift.add({ askedUs: 0, receivedUs: second * 1e6 });
    }
    for (let second = 1; second < 100; second += 1) {
      drift.add({ askedUs: 5, receivedUs: second * 1e6 });
    }
    expect(drift.ppm).toBeUndefined();
  });

  it('is not told while the way to the server becomes longer', () => {
    const drift = new ClockDrift();
    const told: (number | undefined)[] = [];
    for (let second = 1; second <= 200; second += 1) {
      const wayUs = second < 100 ? 400 : 150_400;
      drift.add({ askedUs: second * 1e6, receivedUs: second * 1e6 + wayUs });
      told.push(drift.ppm);
    }
    for (const ppm of told) if (ppm !== undefined) expect(Math.abs(ppm)).toBeLessThan(60);
    expect(told[90]).toBeCloseTo(0);
    expect(told[150]).toBeUndefined();
  });

  it('is not told of a clock that is none', () => {
    expect(watched({ ppm: 300_000, seconds: 120, jitterMs: 0 }).ppm).toBeUndefined();
  });
});
