import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { chunkTiming } from '../../../src/audio/encoders/chunk-timing.ts';
import { createEncoder } from '../../../src/audio/encoders/codecs.ts';
import type { Emit } from '../../../src/audio/encoders/encoder.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { unplayable } from '../../../src/transport/playability.ts';
import { encodeWhole } from '../../support/encoding.ts';

describe('the timing of chunks', () => {
  it.each([
    ['pcm', '48000:16:2', 20],
    ['pcm', '44100:16:2', 1],
    ['flac:2', '48000:16:2', 20],
    ['flac:8', '48000:16:2', 20],
    ['flac:8', '8000:16:1', 20],
    ['flac:8', '48000:16:2', 100],
    ['opus', '48000:16:2', 20],
    ['opus', '48000:16:2', 30],
    ['opus', '48000:16:2', 1],
  ])('is what %s makes of %s in pieces of %i ms', async (codec, text, chunkMs) => {
    const pool = new ChunkPool();
    const format = SampleFormat.parse(text);
    let readFrames = 0;
    let sentFrames = 0;
    let oldestMs = 0;
    const durations = new Set<number>();
    const encoder = await createEncoder(codec, { format, pool });
    const emit: Emit = (chunk, frames) => {
      chunk.release();
      const firstMs = encoder.format.durationUs(sentFrames - encoder.delayFrames) / 1000;
      oldestMs = Math.max(oldestMs, format.durationUs(readFrames) / 1000 - firstMs);
      sentFrames += frames;
      durations.add(encoder.format.durationUs(frames) / 1000);
    };
    const { ageMs, durationMs } = chunkTiming(encoder, { format, chunkMs });
    const frames = format.framesIn(chunkMs);
    for (let piece = 0; piece < 10_000 / chunkMs; piece += 1) {
      const chunk = pool.acquire(frames * format.frameBytes, 'test');
      chunk.writable.fill(0);
      chunk.payloadBytes = frames * format.frameBytes;
      readFrames += frames;
      await encodeWhole({ encoder, emit }, chunk);
    }
    encoder.close();
    pool.close();
    expect(ageMs).toBeCloseTo(oldestMs, 6);
    expect([...durations]).toEqual([durationMs]);
  });
});

describe('what can be played', () => {
  it.each([
    [20, 20, 1000, 'auto', undefined],
    [1000, 1000, 1000, 'auto', 'nothing'],
    [960, 960, 1000, 'auto', 'late'],
    [512, 512, 500, 'auto', 'nothing'],
    [20, 20, 20, 'auto', 'nothing'],
    [20, 20, 60, 'auto', undefined],
    [40, 20, 60, 'auto', 'late'],
    [20, 20, 600, 590, 'late'],
    [20, 20, 600, 500, undefined],
  ] as const)(
    'of chunks that are there after %i ms and last %i ms, with a buffer of %i and send_interval %s',
    (ageMs, durationMs, bufferMs, sendIntervalMs, plays) => {
      const problem = unplayable({ ageMs, durationMs }, { bufferMs, sendIntervalMs });
      expect(problem?.plays).toBe(plays);
    },
  );

  it('needs the smallest buffer that is named, and not a millisecond less', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 20, max: 3000 }),
        fc.oneof(fc.constant('auto' as const), fc.nat(1000)),
        (ageMs, durationMs, bufferMs, sendIntervalMs) => {
          const timing = { ageMs, durationMs };
          const problem = unplayable(timing, { bufferMs, sendIntervalMs });
          if (!problem) return;
          const { leastBufferMs } = problem;
          const withBuffer = (ms: number) => unplayable(timing, { bufferMs: ms, sendIntervalMs });
          expect(leastBufferMs).toBeGreaterThan(bufferMs);
          expect(withBuffer(leastBufferMs)).toBeUndefined();
          expect(withBuffer(leastBufferMs - 1)).toBeDefined();
        },
      ),
    );
  });
});
