import { describe, expect, it } from 'vitest';
import { Continuity } from '../../../src/probe/continuity.ts';

const durationUs = 20_000;

function sequelsOf(timestampsUs: readonly number[], continuity = new Continuity()) {
  return timestampsUs.map((timestampUs) => continuity.add({ timestampUs, durationUs }));
}

describe('a sequence of chunks', () => {
  it('is whole when each begins where the one before ended', () => {
    const continuity = new Continuity();
    expect(sequelsOf([500, 20_500, 40_500], continuity)).toEqual(['next', 'next', 'next']);
    expect(continuity).toMatchObject({ gaps: 0, duplicates: 0, missingUs: 0 });
  });

  it('may begin at any time', () => {
    expect(sequelsOf([-5_000_000])).toEqual(['next']);
    expect(sequelsOf([9e12])).toEqual(['next']);
  });

  it('tolerates timestamps that are rounded to whole microseconds, for ever', () => {
    const continuity = new Continuity();
    const exactUs = (1152 / 44_100) * 1e6;
    for (let index = 0; index < 10_000; index += 1) {
      const timestampUs = Math.round(index * exactUs);
      expect(continuity.add({ timestampUs, durationUs: exactUs })).toBe('next');
    }
  });

  it('tolerates a time that follows the clock of a source', () => {
    const continuity = new Continuity();
    for (const ppm of [300, -300]) {
      continuity.restart();
      for (let index = 0; index < 1000; index += 1) {
        const timestampUs = Math.round(index * durationUs * (1 + ppm / 1e6));
        expect(continuity.add({ timestampUs, durationUs })).toBe('next');
      }
    }
  });

  it('has a gap where a chunk is missing, and goes on behind it', () => {
    const continuity = new Continuity();
    expect(sequelsOf([0, 20_000, 60_000, 80_000], continuity)).toEqual([
      'next',
      'next',
      'gap',
      'next',
    ]);
    expect(continuity).toMatchObject({ gaps: 1, missingUs: 20_000 });
  });

  it('sums up what is missing in all gaps', () => {
    const continuity = new Continuity();
    sequelsOf([0, 40_000, 100_000], continuity);
    expect(continuity).toMatchObject({ gaps: 2, missingUs: 60_000 });
  });

  it('has a duplicate where a chunk comes twice or too early, which moves nothing', () => {
    const continuity = new Continuity();
    expect(sequelsOf([0, 20_000, 20_000, 30_000, 40_000], continuity)).toEqual([
      'next',
      'next',
      'duplicate',
      'duplicate',
      'next',
    ]);
    expect(continuity).toMatchObject({ gaps: 0, duplicates: 2 });
  });

  it('starts over after a new codec header, and keeps what was found before', () => {
    const continuity = new Continuity();
    sequelsOf([0, 40_000], continuity);
    continuity.restart();
    expect(sequelsOf([10_000], continuity)).toEqual(['next']);
    expect(continuity.gaps).toBe(1);
  });

  it.each([-12, 12])('does not tolerate %i microseconds', (differenceUs) => {
    expect(sequelsOf([0, durationUs + differenceUs])[1]).not.toBe('next');
  });
});
