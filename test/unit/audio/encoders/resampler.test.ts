import { describe, expect, it } from 'vitest';
import {
  maxResamplerBlockFrames,
  Resampler,
  resamplerRangeHz,
} from '../../../../src/audio/encoders/resampler.ts';
import { SourceError } from '../../../../src/base/errors.ts';

const toneHz = 997;

describe.each([8000, 22_050, 44_100, 47_999, 96_000, 192_000])(
  'resampling %i Hz to 48 kHz',
  (rateHz) => {
    it('loses no frame, adds no lag and hardly any error, whatever the block size', async () => {
      const runs = [];
      for (const blocks of [[maxResamplerBlockFrames], [1], [7, 480, 1, 1000]]) {
        runs.push(await resampled(rateHz, rateHz / 2, blocks));
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
  resampler.close();
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
  resampler.close();
});

it('a resampler that was used for something else gives what a fresh one gives', async () => {
  const shape = { channels: 1, inputRateHz: 96_000, outputRateHz: 48_000 };
  const block = Float32Array.from({ length: 4096 }, (_, index) => Math.sin(index / 10));
  // The last of them is fresh: fewer than that are kept.
  const taken = [];
  for (let count = 0; count < 4; count += 1) taken.push(await Resampler.create(shape));
  const expected = taken.at(-1)!.resample(block).slice();
  for (const one of taken) one.close();
  for (const inputRateHz of [44_100, 11_025]) {
    const other = await Resampler.create({ channels: 2, inputRateHz, outputRateHz: 48_000 });
    other.resample(new Float32Array(4096).fill(0.5));
    other.close();
    const again = await Resampler.create(shape);
    expect(again.resample(block)).toEqual(expected);
    again.close();
  }
});

async function resampled(rateHz: number, frames: number, blocks: readonly number[]) {
  const resampler = await Resampler.create({
    channels: 1,
    inputRateHz: rateHz,
    outputRateHz: 48_000,
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
  resampler.close();
  return output;
}

it('a resampler that the library refuses is a fault of the source', async () => {
  const shape = { channels: 1, inputRateHz: 44_100, outputRateHz: 48_000 };
  // Those that are kept are not made anew, and so not judged by the library.
  const kept = [await Resampler.create(shape), await Resampler.create(shape)];
  const tooFast = resamplerRangeHz.highest + 1;
  const refused = Resampler.create({ ...shape, inputRateHz: tooFast });
  await expect(refused).rejects.toThrow(SourceError);
  await expect(refused).rejects.toMatchObject({
    code: 'resampler-unavailable',
    message: 'the resampler does not start',
  });
  for (const resampler of kept) resampler.close();
});
