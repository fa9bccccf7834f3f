import { expect, it } from 'vitest';
import { ChunkPool } from '../../../../src/audio/chunk-pool.ts';
import { createEncoder } from '../../../../src/audio/encoders/codecs.ts';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';
import { benchFor } from '../../../support/encoding.ts';

// Protocol reference, appendix A.
it.each([
  [
    '48000:16:2',
    '524946462400000057415645666d7420100000000100020080bb000000ee0200040010006461746100000000',
  ],
  [
    '96000:24:2',
    '524946462400000057415645666d742010000000010002000077010000ca0800060018006461746100000000',
  ],
  [
    '8000:8:1',
    '524946462400000057415645666d74201000000001000100401f0000401f0000010008006461746100000000',
  ],
  [
    '44100:32:6',
    '524946462400000057415645666d7420100000000100060044ac000060261000180020006461746100000000',
  ],
])('the pcm header of %s is the 44 bytes that clients expect', async (format, hex) => {
  const { encoder, pool } = await benchFor('pcm', format);
  expect(Buffer.from(encoder.header).toString('hex')).toBe(hex);
  expect(encoder.delayFrames).toBe(0);
  expect(pool.isFull).toBe(true);
});

it('pcm hands on the very chunk that came in', async () => {
  const pool = new ChunkPool({ verifySeals: true });
  const passed: unknown[] = [];
  const encoder = await createEncoder('pcm', {
    format: SampleFormat.parse('48000:24:2'),
    pool,
  });
  const chunk = pool.acquire(960 * 8, 'test source');
  chunk.payloadBytes = 960 * 8;
  encoder.encode(chunk, 0, (emitted, frames) => {
    passed.push(emitted, frames);
    emitted.release();
  });
  expect(passed).toEqual([chunk, 960]);
  expect(passed[0]).toBe(chunk);
  expect(pool.isFull).toBe(true);
});
