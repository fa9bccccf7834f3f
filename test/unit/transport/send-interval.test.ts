import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { SendInterval, type SendIntervalOptions } from '../../../src/transport/send-interval.ts';

const defaults: SendIntervalOptions = {
  bufferMs: 1000,
  sendIntervalMs: 'auto',
  wantedSendBytes: 0,
};
/** Headers in front of the payload of each message. */
const headerBytes = 38;

let pool: ChunkPool;

beforeEach(() => {
  pool = new ChunkPool({ verifySeals: true });
});

afterEach(() => {
  expect(pool.isFull).toBe(true);
  pool.close();
});

/** The interval after each of some chunks of 20 ms whose messages have the given sizes. */
function intervals(options: Partial<SendIntervalOptions>, messageBytes: number[]): number[] {
  const interval = new SendInterval({ ...defaults, ...options });
  return messageBytes.map((bytes) => {
    const chunk = pool.acquire(bytes - headerBytes, 'test');
    chunk.payloadBytes = bytes - headerBytes;
    chunk.seal({ timestampUs: 0, durationUs: 20_000 });
    interval.note(chunk);
    chunk.release();
    return interval.chunks;
  });
}

describe('SendInterval', () => {
  it.each([
    ['the size is reached anyway', { wantedSendBytes: 32_768 }, 10],
    ['the size needs some more chunks', { wantedSendBytes: 42_000 }, 11],
    ['the size needs more than a quarter of the buffer', { wantedSendBytes: 65_536 }, 12],
    ['a large buffer leaves room', { wantedSendBytes: 65_536, bufferMs: 2000 }, 17],
    ['the interval is set', { wantedSendBytes: 65_536, sendIntervalMs: 40 }, 2],
    ['every chunk is to be sent at once', { wantedSendBytes: 65_536, sendIntervalMs: 0 }, 1],
  ])('grows towards the wanted size: %s', (_, options, chunks) => {
    expect(intervals(options, [3878])).toEqual([chunks]);
  });

  it('follows the average size of chunks, and not every single one', () => {
    const sizes = Array.from({ length: 65 }, (_, index) => (index % 2 === 0 ? 2000 : 4000));
    const all = intervals({ wantedSendBytes: 30_000 }, sizes);
    // The first chunk decides at first: 15 of 2000 bytes, but no more than 12 are allowed.
    expect(all.slice(0, 64)).toEqual(new Array(64).fill(12));
    expect(all[64]).toBe(11);
  });
});
