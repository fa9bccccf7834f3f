import { describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { SilenceDetector } from '../../../src/audio/silence.ts';

const detector = (format: string, percent: number) =>
  new SilenceDetector(SampleFormat.parse(format), percent);

describe('SilenceDetector', () => {
  it('takes only exact zeros for silence by default, wherever the sound is', () => {
    const exact = detector('48000:16:2', 0);
    const pcm = Buffer.alloc(200_000);
    expect(exact.isSilent(pcm)).toBe(true);
    for (const offset of [0, 65_535, 65_536, 199_999]) {
      pcm[offset] = 1;
      expect(exact.isSilent(pcm)).toBe(false);
      pcm[offset] = 0;
    }
  });

  it.each([
    ['48000:8:1', 127],
    ['48000:16:2', 32_767],
    ['48000:24:2', 8_388_607],
    ['48000:32:2', 2_147_483_647],
  ])('measures the threshold against the full scale of %s', (format, fullScale) => {
    const tolerant = detector(format, 10);
    const bytes = SampleFormat.parse(format).sampleBytes;
    const sample = (value: number) => {
      const pcm = Buffer.alloc(bytes * 4);
      pcm.writeIntLE(value, bytes * 2, bytes);
      return pcm;
    };
    expect(tolerant.isSilent(sample(Math.floor(fullScale * 0.09)))).toBe(true);
    expect(tolerant.isSilent(sample(-Math.floor(fullScale * 0.09)))).toBe(true);
    expect(tolerant.isSilent(sample(Math.ceil(fullScale * 0.11)))).toBe(false);
    expect(tolerant.isSilent(sample(-Math.ceil(fullScale * 0.11)))).toBe(false);
  });
});
