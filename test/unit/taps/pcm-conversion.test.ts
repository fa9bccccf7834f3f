import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { openDsp } from '../../../src/dsp/dsp.ts';
import { PcmConversion } from '../../../src/taps/pcm-conversion.ts';

interface Piece {
  readonly timestampUs: number;
  readonly startsRun: boolean;
  readonly samples: readonly number[];
}

let pool: ChunkPool;
let pieces: Piece[];

beforeEach(() => {
  pool = new ChunkPool();
  pieces = [];
});

afterEach(() => {
  expect(pool.isFull).toBe(true);
  pool.close();
});

async function converter(from: string, rateHz: number, channels: number) {
  const format = SampleFormat.parse(from);
  const dsp = await openDsp({ reason: 'either does' });
  const conversion = await PcmConversion.create({ dsp, format, rateHz, channels });
  /** Gives frames whose samples say their number, from `firstFrame` of the run on. */
  const give = (
    frames: number,
    place: { firstFrame?: number; timestampUs: number; stretch?: number },
  ) => {
    const { firstFrame = 0, timestampUs, stretch = 1 } = place;
    const startsRun = firstFrame === 0;
    const chunk = pool.acquire(frames * format.frameBytes, 'test');
    chunk.payloadBytes = frames * format.frameBytes;
    const { sampleBytes } = format;
    const bits = format.bits;
    for (let index = 0; index < frames * format.channels; index += 1) {
      const frame = firstFrame + Math.floor(index / format.channels);
      // A slow ramp, which every filter lets through, and the channels around it.
      const value = (frame / 200_000) * 2 ** (bits - 1) + (index % format.channels === 0 ? 1 : -1);
      chunk.writable.writeIntLE(Math.floor(value), index * sampleBytes, sampleBytes);
    }
    conversion.convert({ chunk, timestampUs, stretch, startsRun }, (samples, place) => {
      pieces.push({ ...place, samples: [...samples] });
    });
    chunk.release();
  };
  return give;
}

describe('the conversion of PCM for taps', () => {
  it.each(['48000:16:2', '48000:24:2', '44100:32:1', '192000:32:8', '8000:8:2'])(
    'leaves no sample out of a long chunk of %s',
    async (from) => {
      const format = SampleFormat.parse(from);
      const give = await converter(from, format.rateHz, 1);
      give(10_000, { timestampUs: 5000 });
      expect(pieces.map(({ startsRun }) => startsRun)).toEqual([true, false, false]);
      const all = pieces.flatMap(({ samples }) => samples);
      expect(all).toHaveLength(10_000);
      for (const [frame, sample] of all.entries()) {
        expect(Math.abs(sample - frame / 200_000)).toBeLessThan(
          4 / 2 ** (Math.min(24, format.bits) - 1),
        );
      }
      expect(pieces[1]!.timestampUs).toBeCloseTo(5000 + format.durationUs(4096), 6);
    },
  );

  it('gives what is of another rate the time of its first sample, also when the source drifts', async () => {
    const give = await converter('48000:16:2', 16_000, 1);
    const stretches = [1, 1, 1.0002, 1.0002, 0.9999, 0.9999];
    let timestampUs = 1_000_000;
    const times: number[] = [];
    for (const [index, stretch] of stretches.entries()) {
      give(960, { firstFrame: index * 960, timestampUs, stretch });
      for (let frame = 0; frame < 960; frame += 1) {
        times.push(timestampUs + ((frame * 1e6) / 48_000) * stretch);
      }
      timestampUs += 20_000 * stretch;
    }
    let frames = 0;
    for (const { timestampUs: toldUs, samples } of pieces) {
      expect(Math.abs(toldUs - times[frames * 3]!)).toBeLessThan(0.01);
      // The ramp says when it was captured; the filter begins with silence before it.
      if (frames > 200) expect(samples[0]).toBeCloseTo((frames * 3) / 200_000, 3);
      frames += samples.length;
    }
    // The filter holds back a few milliseconds.
    expect(frames).toBeGreaterThan(5.5 * 320);
    expect(frames).toBeLessThanOrEqual(6 * 320);
  });

  it('takes nothing of one run into the next', async () => {
    const give = await converter('48000:16:2', 16_000, 1);
    give(960, { timestampUs: 0 });
    const fresh = pieces.splice(0);
    give(960, { firstFrame: 48_000, timestampUs: 20_000 });
    pieces.splice(0);
    give(960, { timestampUs: 9_000_000 });
    expect(pieces[0]).toMatchObject({ timestampUs: 9_000_000, startsRun: true });
    expect(pieces.map(({ samples }) => samples)).toEqual(fresh.map(({ samples }) => samples));
  });
});
