import { describe, expect, it } from 'vitest';
import { maxResamplerBlockFrames, Resampler } from '../../../../src/audio/encoders/resampler.ts';
import { decibels, levelOf } from '../../../support/mix-rig.ts';

const toneHz = 997;
const outputRateHz = 48_000;

describe.each([8000, 22_050, 44_100, 47_999, 96_000, 192_000])(
  'resampling %i Hz to 48 kHz',
  (rateHz) => {
    it('loses no frame, adds no lag and hardly any error, whatever the block size', async () => {
      const runs = [];
      for (const blocks of [[maxResamplerBlockFrames], [1], [7, 480, 1, 1000]]) {
        runs.push(await resampled({ rateHz, toneHz }, rateHz / 2, blocks));
      }
      const [whole] = runs;
      for (const run of runs) expect(run).toEqual(whole);
      // What is missing is the future that the filter still waits for: far less than 20 ms.
      expect(24_000 - whole!.length).toBeGreaterThanOrEqual(0);
      expect(24_000 - whole!.length).toBeLessThan(960);
      for (let index = 2000; index < whole!.length; index += 1) {
        const ideal = Math.sin((2 * Math.PI * toneHz * index) / 48_000) / 2;
        expect(Math.abs(whole![index]! - ideal)).toBeLessThan(1e-4);
      }
    });
  },
);

it.each([
  { rateHz: 44_100, toneHz: 19_000, gain: 1 },
  { rateHz: 47_999, toneHz: 21_000, gain: 1 },
  { rateHz: 96_000, toneHz: 21_000, gain: 1 },
  { rateHz: 96_000, toneHz: 24_500, gain: 0 },
  { rateHz: 192_000, toneHz: 24_500, gain: 0 },
  { rateHz: 192_000, toneHz: 47_000, gain: 0 },
])(
  'of $toneHz Hz at a rate of $rateHz Hz comes through: $gain',
  async ({ rateHz, toneHz, gain }) => {
    const output = await resampled({ rateHz, toneHz }, rateHz / 2, [4096]);
    for (let index = 2000; index < output.length; index += 1) {
      const ideal = (gain * Math.sin((2 * Math.PI * toneHz * index) / outputRateHz)) / 2;
      expect(Math.abs(output[index]! - ideal)).toBeLessThan(1e-5);
    }
  },
);

it.each([8000, 44_100])('nothing is heard of the images of %i Hz', async (rateHz) => {
  // What comes out beyond the band of the input is what is left when the band itself is taken away.
  const output = await resampled({ rateHz, toneHz: rateHz * 0.44 }, rateHz / 2, [4096]);
  for (let index = 2000; index < output.length; index += 1) {
    const ideal = Math.sin((2 * Math.PI * rateHz * 0.44 * index) / outputRateHz) / 2;
    expect(Math.abs(output[index]! - ideal)).toBeLessThan(1e-5);
  }
});

it.each([
  { rateHz: 44_100, toneHz: 18_750, heardHz: 18_750, db: 0 },
  // Its image, 12 % beyond the band.
  { rateHz: 44_100, toneHz: 19_450, heardHz: 24_650, db: -70 },
  { rateHz: 96_000, toneHz: 20_400, heardHz: 20_400, db: 0 },
  { rateHz: 96_000, toneHz: 26_900, heardHz: 21_100, db: -70 },
])(
  'the short filter leaves at most $db dB at $heardHz Hz of $toneHz Hz at a rate of $rateHz Hz',
  async ({ rateHz, toneHz, heardHz, db }) => {
    const output = await resampled({ rateHz, toneHz, filter: 'short' }, rateHz / 2, [4096]);
    const samples = Float64Array.from(output.slice(2000, 2000 + 9600));
    // So that the ends of what is measured do not count.
    const windowed = samples.map(
      (sample, index) => sample * 2 * Math.sin((Math.PI * index) / 9600) ** 2,
    );
    const level = decibels(levelOf(windowed, heardHz, outputRateHz) / 0.5);
    if (db === 0) expect(Math.abs(level)).toBeLessThan(0.1);
    else expect(level).toBeLessThan(db);
  },
);

it('a resampler keeps channels apart', async () => {
  const resampler = await Resampler.create({
    channels: 2,
    inputRateHz: 44_100,
    outputRateHz: 48_000,
  });
  const block = Float32Array.from({ length: 8000 }, (_, index) => (index % 2 === 0 ? 0.5 : -0.25));
  const output = resampler.resample(block).slice(2000);
  expect(output.length).toBeGreaterThan(4000);
  output.forEach((value, index) => {
    expect(value).toBeCloseTo(index % 2 === 0 ? 0.5 : -0.25, 3);
  });
});

it('a reset resampler repeats itself, thousands of times in the same memory', async () => {
  const resampler = await Resampler.create({
    channels: 1,
    inputRateHz: 44_100,
    outputRateHz: 48_000,
  });
  const block = Float32Array.from({ length: 1000 }, (_, index) => Math.sin(index / 10));
  const first = resampler.resample(block).slice();
  for (let run = 0; run < 3000; run += 1) {
    resampler.reset();
    const again = resampler.resample(block);
    if (run % 500 === 0) expect(again).toEqual(first);
  }
  expect(resampler.resample(block)).not.toEqual(first);
});

async function resampled(
  {
    rateHz,
    toneHz,
    filter,
  }: { readonly rateHz: number; readonly toneHz: number; readonly filter?: 'short' },
  frames: number,
  blocks: readonly number[],
) {
  const resampler = await Resampler.create({
    channels: 1,
    inputRateHz: rateHz,
    outputRateHz,
    ...(filter && { filter }),
  });
  const output: number[] = [];
  for (let start = 0, turn = 0; start < frames; turn += 1) {
    const length = Math.min(blocks[turn % blocks.length]!, Math.floor(frames) - start);
    if (length === 0) break;
    const block = Float32Array.from({ length }, (_, index) => {
      return Math.sin((2 * Math.PI * toneHz * (start + index)) / rateHz) / 2;
    });
    output.push(...resampler.resample(block));
    start += length;
  }
  return output;
}
