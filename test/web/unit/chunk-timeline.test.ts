import { describe, expect, it } from 'vitest';
import { ChunkTimeline } from '../../../src/web/player/chunk-timeline.ts';

const rateHz = 48_000;
const frames = 960;

/** A chunk of 20 ms in which all samples are the same. */
function chunk(timestampMs: number, value: number) {
  return { timestampMs, channels: [new Float32Array(frames).fill(value)] };
}

function timeline(...chunks: readonly ReturnType<typeof chunk>[]) {
  const made = new ChunkTimeline(rateHz);
  for (const one of chunks) made.add(one);
  return made;
}

describe('the audio that has arrived', () => {
  it('is one sequence of frames, whose times are those of the chunks', () => {
    const made = timeline(chunk(1000, 1), chunk(1020.3, 2), chunk(1040, 3));
    expect(made.end).toBe(3 * frames);
    expect(made.timeMs(0)).toBe(1000);
    expect(made.timeMs(frames)).toBe(1020.3);
    expect(made.timeMs(3 * frames)).toBe(1060);
    expect(made.frameAt(1050)).toBe(2.5 * frames);
    expect([...made.read(0, frames - 1, 2)]).toEqual([1, 2]);
  });

  it('counts what is missing, and is silent there', () => {
    const made = timeline(chunk(1000, 1), chunk(1060, 2));
    expect(made.end).toBe(4 * frames);
    expect(made.coveredUntil(0)).toBe(frames);
    expect(made.coveredFrom(frames + 1)).toBe(3 * frames);
    expect(made.coveredFrom(5 * frames)).toBe(Number.POSITIVE_INFINITY);
    expect(made.read(0, frames, 10)).toEqual(new Float32Array(10));
    // Without a click at either side.
    expect(made.read(0, frames - 1, 1)[0]).toBeLessThan(0.01);
    expect(made.read(0, 3 * frames, 1)[0]).toBeLessThan(0.01);
    expect(made.read(0, 3.5 * frames, 1)[0]).toBe(2);
  });

  it('has what comes twice once, and not what was over long ago', () => {
    const made = timeline(chunk(1000, 1), chunk(1020, 2), chunk(1040, 3));
    for (const one of [chunk(960, 9), chunk(1000, 9), chunk(1020, 9)]) made.add(one);
    expect(made.end).toBe(3 * frames);
    expect([0, 1, 2].map((at) => made.read(0, at * frames + 480, 1)[0])).toEqual([1, 2, 3]);
  });

  it('gives way to what comes later for the same time', () => {
    const made = timeline(chunk(1000, 1), chunk(1020, 2), chunk(1008, 3));
    expect(made.end).toBe(384 + frames);
    expect(made.timeMs(384)).toBe(1008);
    expect(made.read(0, 384 + 480, 1)[0]).toBe(3);
  });

  it('is kept for half a minute at most', () => {
    const made = new ChunkTimeline(rateHz);
    for (let at = 0; at < 3000; at += 1) made.add(chunk(at * 20, 1));
    expect(made.coveredFrom(0)).toBeGreaterThan(29 * rateHz);
    expect(made.coveredFrom(0)).toBeLessThan(31 * rateHz);
  });
});
