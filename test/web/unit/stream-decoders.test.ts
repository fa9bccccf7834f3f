import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createDecoder } from '../../../src/audio/decoders/decoders.ts';
import { samplesOf } from '../../../src/audio/sample-conversion.ts';
import { createStreamDecoder } from '../../../src/web/player/stream-decoders.ts';
import { benchFor, encodeAll, music, pcmOf } from '../../support/encoding.ts';
import { Random } from '../../support/random.ts';

// The library tells of every damaged packet.
beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});

describe('what the page decodes', () => {
  it.each([
    ['pcm', '48000:16:2', 'PCM 48/16'],
    ['pcm', '96000:24:2', 'PCM 96/24'],
    ['pcm', '44100:32:1', 'PCM 44.1/32'],
    ['flac', '48000:16:2', 'FLAC 48/16'],
    ['flac', '96000:24:2', 'FLAC 96/24'],
    ['opus', '48000:16:2', 'Opus'],
  ])('is what other players get of %s %s', async (codec, format, text) => {
    const bench = await benchFor(codec, format);
    const pcm = pcmOf(bench.format, 9600, music);
    const emitted = await encodeAll(bench, pcm, [960]);
    const [page, other] = await Promise.all([
      createStreamDecoder(codec, bench.encoder.header),
      createDecoder(codec, bench.encoder.header),
    ]);
    const { rateHz, channels, bits } = bench.format;
    expect(page).toMatchObject({ rateHz, channels, text });
    for (const { payload, frames } of emitted) {
      const heard = page.decode(payload);
      expect(heard.map(({ length }) => length)).toEqual(Array(channels).fill(frames));
      const samples = samplesOf(other.decode(payload), other.format);
      let furthest = 0;
      samples.forEach((sample, index) => {
        const value = heard[index % channels]![Math.floor(index / channels)]!;
        furthest = Math.max(furthest, Math.abs(value - Math.fround(sample * 2 ** (1 - bits))));
      });
      // One has whole numbers of 16 bits, the other not.
      expect(furthest).toBeLessThanOrEqual(codec === 'opus' ? 2 ** -13 : 0);
    }
    page.close();
    other.close();
    bench.encoder.close();
  });

  it.each(['pcm', 'flac', 'opus'])('of %s survives what is damaged', async (codec) => {
    const bench = await benchFor(codec, '48000:16:2');
    const emitted = await encodeAll(bench, pcmOf(bench.format, 9600, music), [960]);
    const page = await createStreamDecoder(codec, bench.encoder.header);
    const random = new Random(1);
    for (let round = 0; round < 300; round += 1) {
      try {
        page.decode(random.bytes(round * 3));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
    // That of opus may have to start anew.
    await expect.poll(() => page.decode(emitted[0]!.payload)).not.toHaveLength(0);
    for (const { payload, frames } of emitted) {
      expect(page.decode(payload)[0]).toHaveLength(frames);
    }
    page.close();
    bench.encoder.close();
  });

  it.each(['ogg', 'null', '__proto__'])('does not include %s', async (codec) => {
    await expect(createStreamDecoder(codec, new Uint8Array(64))).rejects.toThrow();
  });
});
