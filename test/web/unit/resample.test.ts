import { describe, expect, it } from 'vitest';
import { resample, samplesBefore, samplesBehind } from '../../../src/web/player/resample.ts';
import { Random } from '../../support/random.ts';

const frames = 4800;

function tone(hz: number): Float32Array {
  const length = frames + 20 + samplesBefore + samplesBehind;
  return Float32Array.from({ length }, (_, index) =>
    Math.sin((2 * Math.PI * hz * (index - samplesBefore)) / 48_000),
  );
}

/** What is not the tone, compared with it, in decibels. */
function distortionDb(hz: number, step: number): number {
  const target = new Float32Array(frames);
  resample(tone(hz), { position: samplesBefore, step }, target);
  let wrong = 0;
  let right = 0;
  target.forEach((sample, index) => {
    const ideal = Math.sin((2 * Math.PI * hz * index * step) / 48_000);
    wrong += (sample - ideal) ** 2;
    right += ideal ** 2;
  });
  return 10 * Math.log10(wrong / right);
}

describe('resampling', () => {
  it('copies at the same rate, bit by bit', () => {
    const random = new Random(1);
    const source = Float32Array.from({ length: 1000 }, () => random.next() * 2 - 1);
    const target = new Float32Array(900);
    resample(source, { position: 17, step: 1 }, target);
    expect(target).toEqual(source.slice(17, 917));
  });

  it('hits the samples that it steps on', () => {
    const target = new Float32Array(10);
    resample(
      Float32Array.from({ length: 40 }, (_, index) => index),
      { position: 2, step: 2 },
      target,
    );
    expect([...target]).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
  });

  it('draws straight lines as what they are', () => {
    const source = Float32Array.from({ length: 40 }, (_, index) => index);
    const target = new Float32Array(20);
    resample(source, { position: 1.25, step: 1.5 }, target);
    target.forEach((sample, index) => {
      expect(sample).toBeCloseTo(1.25 + index * 1.5, 4);
    });
  });

  it.each([
    { hz: 100, step: 1.001, atMostDb: -120 },
    { hz: 1000, step: 1.001, atMostDb: -75 },
    { hz: 1000, step: 0.999, atMostDb: -75 },
    { hz: 4000, step: 1.001, atMostDb: -40 },
  ])('keeps a tone of $hz Hz at a rate of $step', ({ hz, step, atMostDb }) => {
    expect(distortionDb(hz, step)).toBeLessThan(atMostDb);
  });
});
