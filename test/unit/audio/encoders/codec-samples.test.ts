import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  newSamples,
  samplesOf,
  toInt16,
} from '../../../../src/audio/sample-conversion.ts';
import { SampleFormat } from '../../../../src/audio/sample-format.ts';

describe('PCM as numbers', () => {
  it.each([
    ['8000:8:1', Int8Array.of(-128, -1, 0, 127)],
    ['8000:16:1', Int16Array.of(-32_768, -1, 0, 32_767)],
    ['8000:24:1', Int32Array.of(-8_388_608, -1, 0, 8_388_607)],
    ['8000:32:1', Int32Array.of(-2_147_483_648, -1, 0, 2_147_483_647)],
  ])('of %s reads the same at every address', (formatText, samples) => {
    const format = SampleFormat.parse(formatText);
    const bytes = bytesOf(samples);
    for (let offset = 0; offset < 4; offset += 1) {
      const place = new Uint8Array(offset + bytes.length);
      place.set(bytes, offset);
      expect(samplesOf(place.subarray(offset), format)).toEqual(samples);
    }
    expect(newSamples(4, format).constructor).toBe(samples.constructor);
  });

  it('shares the memory of aligned bytes', () => {
    const bytes = Buffer.alloc(8);
    samplesOf(bytes, SampleFormat.parse('8000:16:1'))[1] = -2;
    expect(bytes.readInt16LE(2)).toBe(-2);
  });
});

it.each([
  [0, 0],
  [0.5, 16_384],
  [1, 32_767],
  [1.2, 32_767],
  [-1, -32_768],
  [-1.2, -32_768],
])('%d becomes the 16-bit sample %i', (value, sample) => {
  expect(toInt16(value)).toBe(sample);
});
