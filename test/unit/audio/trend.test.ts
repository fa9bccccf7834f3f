import { expect, it } from 'vitest';
import { Trend } from '../../../src/audio/trend.ts';

it('knows a straight line after seconds, and forgets what is a quarter of an hour old', () => {
  const trend = new Trend();
  const slope = 3e-4;
  let longestUs = 0;
  for (let second = 0; second < 3600; second += 0.5) {
    trend.add(second * 1e6, second * 1e6 * slope);
    longestUs = Math.max(longestUs, trend.lengthUs);
    if (second > 5) expect(trend.slope).toBeCloseTo(slope, 6);
  }
  expect(longestUs).toBeLessThan(1100e6);
  expect(trend.lengthUs).toBeGreaterThan(900e6);
});
