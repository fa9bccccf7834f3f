import { describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { correlate } from '../../support/correlation.ts';
import {
  differsBySingleFrames,
  exactRuns,
  firstAudibleFrame,
  longestExactRun,
} from '../../support/pcm-compare.ts';
import { risingTone, uniqueSignal } from '../../support/test-signal.ts';

const formats = ['48000:16:2', '44100:16:2', '96000:24:2', '8000:8:1'].map((text) =>
  SampleFormat.parse(text),
);
const format = SampleFormat.parse('48000:16:2');

function silence(frames: number, { frameBytes } = format): Buffer {
  return Buffer.alloc(frames * frameBytes);
}

function frames(pcm: Buffer, from: number, to?: number): Buffer {
  return pcm.subarray(
    from * format.frameBytes,
    to === undefined ? undefined : to * format.frameBytes,
  );
}

describe('the longest exact run', () => {
  it.each(formats)('is the whole feed in a whole recording of %s', (each) => {
    const fed = uniqueSignal({ format: each, seconds: 0.5 });
    const recorded = Buffer.concat([silence(1234, each), fed, silence(99, each)]);
    expect(longestExactRun({ fed, recorded, format: each })).toEqual({
      frames: fed.length / each.frameBytes,
      share: 1,
      fedFrame: 0,
      recordedFrame: 1234,
    });
  });

  it('begins where a late recording begins', () => {
    const fed = uniqueSignal({ format, seconds: 1 });
    const recorded = Buffer.concat([silence(10), frames(fed, 24_001)]);
    expect(longestExactRun({ fed, recorded, format })).toMatchObject({
      frames: 23_999,
      fedFrame: 24_001,
      recordedFrame: 10,
    });
  });

  it('ends at a single wrong bit', () => {
    const fed = uniqueSignal({ format, seconds: 1 });
    const recorded = Buffer.from(fed);
    const wrongByte = 30_000 * format.frameBytes + 3;
    recorded.writeUInt8(recorded.readUInt8(wrongByte) ^ 1, wrongByte);
    expect(longestExactRun({ fed, recorded, format })).toMatchObject({
      frames: 30_000,
      share: 0.625,
      recordedFrame: 0,
    });
  });

  it.each([
    ['lacks a frame', (fed: Buffer) => [frames(fed, 0, 20_000), frames(fed, 20_001)]],
    ['repeats a frame', (fed: Buffer) => [frames(fed, 0, 20_000), frames(fed, 19_999)]],
    ['pauses', (fed: Buffer) => [frames(fed, 0, 20_000), silence(50), frames(fed, 20_000)]],
  ])('is the longer part of a recording that %s', (_, damage) => {
    const fed = uniqueSignal({ format, seconds: 1 });
    const run = longestExactRun({ fed, recorded: Buffer.concat(damage(fed)), format });
    expect(run.frames).toBeGreaterThanOrEqual(27_999);
    expect(run.frames).toBeLessThanOrEqual(28_001);
    expect(run.recordedFrame).toBeGreaterThanOrEqual(19_999);
  });

  it('is nothing in silence, in noise, and in a recording that is too short', () => {
    const fed = uniqueSignal({ format, seconds: 1 });
    const swapped = Buffer.from(fed).swap16();
    for (const recorded of [silence(48_000), swapped, frames(fed, 0, 5), Buffer.alloc(0)]) {
      expect(longestExactRun({ fed, recorded, format })).toMatchObject({ frames: 0, share: 0 });
    }
  });

  it('does not take silence in the feed for a place', () => {
    const sound = uniqueSignal({ format, seconds: 0.5 });
    const fed = Buffer.concat([silence(24_000), sound]);
    const recorded = Buffer.concat([silence(100_000), sound]);
    expect(longestExactRun({ fed, recorded, format })).toMatchObject({
      frames: 48_000,
      fedFrame: 0,
      recordedFrame: 76_000,
    });
  });
});

describe('a recording of a client that corrected its speed', () => {
  const fed = uniqueSignal({ format, seconds: 1 });

  function differs(...parts: readonly Buffer[]): boolean {
    return differsBySingleFrames(exactRuns({ fed, recorded: Buffer.concat(parts), format }));
  }

  it('differs from the feed by single frames only', () => {
    expect(differs(fed)).toBe(true);
    expect(differs(silence(5), frames(fed, 0, 20_000), frames(fed, 20_001))).toBe(true);
    expect(differs(frames(fed, 0, 20_000), frames(fed, 19_999))).toBe(true);
    expect(
      differs(frames(fed, 0, 9000), frames(fed, 8999, 30_000), frames(fed, 30_001), silence(5)),
    ).toBe(true);
  });

  it('is told from one with lost, repeated or wrong chunks', () => {
    expect(differs(frames(fed, 0, 20_000), frames(fed, 20_960))).toBe(false);
    expect(differs(frames(fed, 0, 20_000), frames(fed, 19_040))).toBe(false);
    expect(differs(frames(fed, 0, 20_000), silence(960), frames(fed, 20_960))).toBe(false);
    expect(differs(frames(fed, 24_000), frames(fed, 0, 24_000))).toBe(false);
  });
});

describe('the first audible frame', () => {
  it('is the first frame with a sample that is not zero', () => {
    const recorded = silence(100);
    recorded.writeInt16LE(1, 70 * format.frameBytes + 2);
    expect(firstAudibleFrame(recorded, format)).toBe(70);
  });

  it('does not exist in silence', () => {
    expect(firstAudibleFrame(silence(100), format)).toBeUndefined();
  });
});

describe('the correlation', () => {
  const fed = risingTone({ format, seconds: 2 });

  it('is 1 for the feed itself, at its place', () => {
    const recorded = Buffer.concat([silence(4321), fed, silence(1000)]);
    const { lagFrames, coefficient } = correlate({ fed, recorded, format });
    expect(lagFrames).toBe(4321);
    expect(coefficient).toBeCloseTo(1, 9);
  });

  it('finds the place to the frame even where neighbouring waves look alike', () => {
    const slow = risingTone({ format, seconds: 8 });
    for (const lag of [42_540, 44_196, 44_497]) {
      const recorded = Buffer.concat([silence(lag), slow]);
      expect(correlate({ fed: slow, recorded, format }).lagFrames).toBe(lag);
    }
  });

  it('finds a feed of which the beginning is missing', () => {
    const recorded = frames(fed, 1000);
    const { lagFrames, coefficient } = correlate({ fed, recorded, format });
    expect(lagFrames).toBe(-1000);
    expect(coefficient).toBeGreaterThan(0.98);
  });

  it('does not mind volume and a little noise', () => {
    const recorded = Buffer.alloc(fed.length);
    for (let offset = 0; offset < fed.length; offset += 2) {
      const noise = ((offset * 7919) % 401) - 200;
      recorded.writeInt16LE(Math.round(fed.readInt16LE(offset) / 2) + noise, offset);
    }
    const { lagFrames, coefficient } = correlate({ fed, recorded, format });
    expect(lagFrames).toBe(0);
    expect(coefficient).toBeGreaterThan(0.99);
    expect(coefficient).toBeLessThan(1);
  });

  it.each([
    ['a gap', [frames(fed, 0, 40_000), silence(5000), frames(fed, 45_000)]],
    ['an omission', [frames(fed, 0, 70_000), frames(fed, 70_100)]],
    ['swapped halves', [frames(fed, 48_000), frames(fed, 0, 48_000)]],
    ['silence', [silence(96_000)]],
  ])('is low for a recording with %s', (_, parts) => {
    const { coefficient } = correlate({ fed, recorded: Buffer.concat(parts), format });
    expect(coefficient).toBeLessThan(0.98);
  });
});

describe('the test signals', () => {
  it.each(formats)('are loud, never clipped and the same every time in %s', (each) => {
    for (const signal of [uniqueSignal, risingTone]) {
      const pcm = signal({ format: each, seconds: 0.25 });
      expect(pcm.length).toBe(0.25 * each.rateHz * each.frameBytes);
      expect(signal({ format: each, seconds: 0.25 }).equals(pcm)).toBe(true);
      const fullScale = 2 ** (each.bits - 1);
      let peak = 0;
      for (let offset = 0; offset < pcm.length; offset += each.sampleBytes) {
        peak = Math.max(peak, Math.abs(pcm.readIntLE(offset, each.sampleBytes)));
      }
      expect(peak / fullScale).toBeGreaterThan(0.4);
      expect(peak / fullScale).toBeLessThan(0.75);
    }
  });
});
