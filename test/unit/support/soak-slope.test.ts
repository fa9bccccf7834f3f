import { describe, expect, it } from 'vitest';
import { fitSlope, judgeGrowth, type Point } from '../../soak/slope.ts';
import { Random } from '../../support/random.ts';

const mib = 2 ** 20;
const everySeconds = 5;

/** Memory of a process, looked at every five seconds: it goes up until it is collected. */
function memory({ seconds, leakPerSecond, seed }: Record<string, number>): Point[] {
  const random = new Random(seed ?? 0);
  return Array.from({ length: (seconds ?? 0) / everySeconds }, (_, index) => {
    const at = index * everySeconds;
    const uncollected = ((at * 40_000) % (3 * mib)) + random.below(mib);
    // Now and then something big is there for a moment.
    const burst = random.below(20) === 0 ? 20 * mib : 0;
    // A start is never level.
    const warmingUp = 15 * mib * Math.min(1, at / (0.15 * (seconds ?? 1)));
    return [at, 100 * mib + warmingUp + uncollected + burst + at * (leakPerSecond ?? 0)];
  });
}

const rule = { bound: 4 * mib, warmUpShare: 0.2 };
const seeds = Array.from({ length: 30 }, (_, seed) => seed);

describe('the line of Theil and Sen', () => {
  it('is the line where there is one, and does not mind a few wild values', () => {
    const points: Point[] = Array.from({ length: 21 }, (_, x) => [x, 3 * x + 1]);
    expect(fitSlope(points)).toEqual({ slope: 3, low: 3, high: 3 });
    const wild = points.map(([x, y]): Point => [x, x % 7 === 5 ? -1000 : y]);
    expect(fitSlope(wild).slope).toBeCloseTo(3, 5);
  });

  it('has an interval that holds the truth in 95 of 100 cases', () => {
    const random = new Random(1);
    const noise = () => random.below(1000) + random.below(1000) + random.below(1000);
    const rounds = 400;
    const held = Array.from({ length: rounds }, () => {
      const points = Array.from({ length: 40 }, (_, x): Point => [x, 7 * x + noise()]);
      const { low, high } = fitSlope(points);
      return low <= 7 && 7 <= high;
    }).filter(Boolean).length;
    expect(held / rounds).toBeGreaterThan(0.92);
    expect(held / rounds).toBeLessThan(0.985);
  });

  it('needs two places', () => {
    expect(() => fitSlope([[1, 2]])).toThrow('two points');
  });
});

describe('the verdict on half an hour', () => {
  it.each(seeds)('is level where nothing leaks, with the noise of seed %i', (seed) => {
    const points = memory({ seconds: 1800, leakPerSecond: 0, seed });
    expect(judgeGrowth(points, rule)).toMatchObject({ verdict: 'level' });
  });

  it.each(seeds)('finds a leak of 10 KiB per second in the noise of seed %i', (seed) => {
    const points = memory({ seconds: 1800, leakPerSecond: 10 * 1024, seed });
    const { verdict, growth } = judgeGrowth(points, rule);
    expect(verdict).toBe('grows');
    expect(growth / (1440 * 10 * 1024)).toBeGreaterThan(0.8);
    expect(growth / (1440 * 10 * 1024)).toBeLessThan(1.2);
  });

  it('does not take memory that shrinks for a leak', () => {
    const points = memory({ seconds: 1800, leakPerSecond: -4096, seed: 1 });
    expect(judgeGrowth(points, rule).verdict).toBe('level');
  });

  it('finds one descriptor per minute', () => {
    const points = Array.from({ length: 360 }, (_, x): Point => [x * 5, 30 + Math.floor(x / 12)]);
    const { verdict } = judgeGrowth(points, { bound: 2, warmUpShare: 0.2 });
    expect(verdict).toBe('grows');
  });

  it('is that nothing can be told where the noise is larger than what is allowed', () => {
    const random = new Random(3);
    const points = Array.from({ length: 12 }, (_, x): Point => [x, random.below(100 * mib)]);
    const { verdict } = judgeGrowth(points, { bound: 4 * mib, warmUpShare: 0 });
    expect(['unclear', 'grows']).toContain(verdict);
  });
});
