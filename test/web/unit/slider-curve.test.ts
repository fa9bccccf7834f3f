import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  balanced,
  meanOf,
  positionOf,
  valueAt,
  valueByKey,
} from '../../../src/web/parts/slider-curve.ts';

const percent = fc.integer({ min: 0, max: 100 });

describe.each(['quadratic', 'decibel', 'linear'] as const)('a %s slider', (curve) => {
  it('shows each volume where moving the thumb gives it', () => {
    for (let value = 0; value <= 100; value += 1) {
      expect(valueAt(positionOf(value, curve), curve)).toBe(value);
    }
  });

  it('is silent at one end and loudest at the other', () => {
    expect([0, 1].map((position) => valueAt(position, curve))).toEqual([0, 100]);
  });
});

it('a quadratic slider has half of its way for the quietest quarter', () => {
  expect(valueAt(0.5, 'quadratic')).toBe(25);
});

it('a slider in decibels makes as much louder with each step, as players do it', () => {
  const gainDb = (position: number) =>
    20 * Math.log10((10 ** (valueAt(position, 'decibel') / 100) - 1) / 9);
  expect(gainDb(1) - gainDb(0.75)).toBeCloseTo(13.5, 0);
  expect(gainDb(0.75) - gainDb(0.5)).toBeCloseTo(13.5, 0);
});

describe('a key', () => {
  it.each([
    ['ArrowRight', 42, 43],
    ['ArrowUp', 100, 100],
    ['ArrowLeft', 42, 41],
    ['ArrowDown', 0, 0],
    ['PageUp', 42, 47],
    ['PageDown', 3, 0],
    ['Home', 42, 0],
    ['End', 42, 100],
    ['a', 42, undefined],
    ['Tab', 42, undefined],
  ])('%s makes %d to %s', (key, value, next) => expect(valueByKey(key, value)).toBe(next));
});

describe('the volume of a group', () => {
  it('moves its members to the mean that is asked for', () => {
    fc.assert(
      fc.property(fc.array(percent, { minLength: 1 }), percent, (volumes, to) => {
        const next = balanced(volumes, to);
        expect(Math.abs(meanOf(next) - to)).toBeLessThanOrEqual(0.5);
        for (const volume of next) expect(volume).toBeGreaterThanOrEqual(0);
        for (const volume of next) expect(volume).toBeLessThanOrEqual(100);
      }),
    );
  });

  it('keeps who is louder than whom', () => {
    fc.assert(
      fc.property(percent, percent, percent, (quiet, loud, to) => {
        fc.pre(quiet <= loud);
        const [first = 0, second = 0] = balanced([quiet, loud], to);
        expect(first).toBeLessThanOrEqual(second);
      }),
    );
  });

  it('leaves all as they are when it stays', () => {
    expect(balanced([20, 33, 46], 33)).toEqual([20, 33, 46]);
  });

  it('of nobody is silence', () => expect(meanOf([])).toBe(0));
});
