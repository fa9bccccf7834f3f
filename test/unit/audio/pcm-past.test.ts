import { describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { PcmPast } from '../../../src/audio/pcm-past.ts';

const chunkUs = 20_000;

describe('the past of a stream', () => {
  it('is kept for so long and no longer, and found by time', () => {
    const pool = new ChunkPool();
    const past = new PcmPast({ keptMs: 100, beginUs: 0 });
    for (let index = 0; index < 50; index += 1) {
      const chunk = pool.acquire(4, 'a test');
      past.take({ chunk, timestampUs: index * chunkUs, stretch: 1, startsRun: index === 0 });
      chunk.release();
    }
    expect([past.tail, past.head]).toEqual([44, 50]);
    expect(pool.isFull).toBe(false);
    expect(past.at(43)).toBeUndefined();
    expect(past.at(past.firstSince(46.5 * chunkUs))?.timestampUs).toBe(47 * chunkUs);
    expect(past.at(past.firstSince(0))?.timestampUs).toBe(44 * chunkUs);
    expect(past.firstSince(50 * chunkUs)).toBe(past.head);
    past.close();
    expect(pool.isFull).toBe(true);
  });

  it('does not reach back to what was captured before it was kept', () => {
    const past = new PcmPast({ keptMs: 100, beginUs: 5000 });
    expect([4999, 5000].map((us) => past.reaches(us))).toEqual([false, true]);
  });
});
