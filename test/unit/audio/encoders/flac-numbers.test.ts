import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecoder } from '../../../../src/audio/decoders/decoders.ts';
import {
  maxNumberGrowthBytes,
  renumberFlacFrame,
} from '../../../../src/audio/encoders/flac-numbers.ts';
import { bytesOf } from '../../../../src/audio/sample-conversion.ts';
import { benchFor, encodeAll, music, pcmOf } from '../../../support/encoding.ts';

/** The coded number of a frame. */
function numberOf(frame: Uint8Array): number {
  const first = frame[4]!;
  if (first < 0x80) return first;
  const bytes = Math.clz32(~(first << 24));
  let number = first & (0x7f >> bytes);
  for (let index = 1; index < bytes; index += 1) number = number * 64 + (frame[4 + index]! & 0x3f);
  return number;
}

describe('the number of a frame', () => {
  it.each(['48000:16:2', '47999:24:2', '192000:24:8', '8000:8:1'])(
    'of %s is changed, and nothing else of what is decoded',
    async (format) => {
      const bench = await benchFor('flac', format);
      const emitted = await encodeAll(bench, pcmOf(bench.format, 3000, music), [960]);
      const decoder = await createDecoder('flac', bench.encoder.header);
      const frames = emitted.map(({ payload }) => payload);
      expect(frames).toHaveLength(3);
      const expected = frames.map((frame) => Buffer.from(decoder.decode(frame)));
      fc.assert(
        fc.property(fc.nat({ max: 2 ** 31 - 1 }), fc.nat({ max: 2 ** 31 - 1 }), (first, then) => {
          for (const [index, frame] of frames.entries()) {
            const room = Buffer.alloc(frame.length + maxNumberGrowthBytes);
            frame.copy(room);
            const length = renumberFlacFrame(room, frame.length, first);
            const again = Buffer.alloc(length + maxNumberGrowthBytes);
            room.copy(again, 0, 0, length);
            const changed = again.subarray(0, renumberFlacFrame(again, length, then));
            expect(numberOf(changed)).toBe(then);
            expect(bytesOf(decoder.decode(changed)).equals(expected[index]!)).toBe(true);
          }
        }),
        {
          numRuns: 60,
          examples: [
            [0, 127],
            [128, 2047],
            [2048, 65_535],
            [65_536, 2_097_151],
          ],
        },
      );
      decoder.close();
      bench.encoder.close();
    },
  );

  it('goes on from a run of another encoder until the run is over', async () => {
    const bench = await benchFor('flac', '48000:16:2');
    const pcm = pcmOf(bench.format, 3000, music);
    bench.encoder.continueBehind?.(1000);
    const emitted = await encodeAll(bench, pcm, [960]);
    const after = await encodeAll(bench, pcm, [960]);
    expect(emitted.slice(0, 3).map(({ payload }) => numberOf(payload))).toEqual([1000, 1001, 1002]);
    expect(after.slice(-3).map(({ payload }) => numberOf(payload))).toEqual([0, 1, 2]);
    bench.encoder.close();
  });
});
