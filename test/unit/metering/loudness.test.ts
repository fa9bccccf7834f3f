import { describe, expect, it } from 'vitest';
import {
  LoudnessMeter,
  loudnessHopMs,
  loudnessLufs,
  loudnessWeights,
} from '../../../src/metering/loudness.ts';

/** Pieces of constant loudness: LUFS and seconds. */
type Pieces = readonly (readonly [lufs: number, seconds: number])[];

function meterOf(pieces: Pieces): LoudnessMeter {
  const meter = new LoudnessMeter();
  for (const [lufs, seconds] of pieces) {
    for (let hop = 0; hop < (seconds * 1000) / loudnessHopMs; hop += 1)
      meter.push(10 ** ((lufs + 0.691) / 10));
  }
  return meter;
}

describe('the loudness of a meter', () => {
  it.each<{ name: string; pieces: Pieces; lufs: number }>([
    {
      name: 'what is 10 LU quieter',
      pieces: [
        [-36, 10],
        [-23, 60],
        [-36, 10],
      ],
      lufs: -23,
    },
    {
      name: 'what is below -70 LUFS',
      pieces: [
        [-72, 10],
        [-36, 10],
        [-23, 60],
        [-36, 10],
        [-72, 10],
      ],
      lufs: -23,
    },
    {
      name: 'nothing that is a little quieter',
      pieces: [
        [-26, 20],
        [-20, 20.1],
        [-26, 20],
      ],
      lufs: -23,
    },
  ])('leaves out $name (EBU Tech 3341)', ({ pieces, lufs }) => {
    expect(Math.abs(meterOf(pieces).integratedLufs - lufs)).toBeLessThan(0.1);
  });

  it.each<[lu: number, pieces: Pieces]>([
    [
      10,
      [
        [-20, 20],
        [-30, 20],
      ],
    ],
    [
      5,
      [
        [-20, 20],
        [-15, 20],
      ],
    ],
    [
      20,
      [
        [-40, 20],
        [-20, 20],
      ],
    ],
    [
      15,
      [
        [-50, 20],
        [-35, 20],
        [-20, 20],
        [-35, 20],
        [-50, 20],
      ],
    ],
  ])('has a range of %i LU (EBU Tech 3342)', (lu, pieces) => {
    expect(Math.abs(meterOf(pieces).rangeLu - lu)).toBeLessThan(1);
  });

  it('is that of the last 400 ms and of the last 3 s', () => {
    const meter = meterOf([
      [-40, 3],
      [-20, 0.4],
    ]);
    expect(meter.momentaryLufs).toBeCloseTo(-20, 6);
    const energy = (130 * 10 ** (-4 + 0.0691) + 20 * 10 ** (-2 + 0.0691)) / 150;
    expect(meter.shortTermLufs).toBeCloseTo(loudnessLufs(energy), 6);
  });

  it('is minus infinity before there is as much audio as it needs', () => {
    const meter = meterOf([[-20, 0.3]]);
    const silence = Number.NEGATIVE_INFINITY;
    const { momentaryLufs, shortTermLufs, integratedLufs, rangeLu } = meter;
    expect([momentaryLufs, shortTermLufs, integratedLufs]).toEqual([silence, silence, silence]);
    expect(rangeLu).toBe(0);
  });

  it('is the same after loud audio as after none', () => {
    const meter = meterOf([
      [0, 10],
      [-69.5, 3],
    ]);
    expect(meter.shortTermLufs).toBeCloseTo(-69.5, 9);
  });

  it('goes on behind an interruption for all audio, and begins anew for the last', () => {
    const meter = meterOf([[-20, 10]]);
    meter.interrupt();
    expect(meter.momentaryLufs).toBe(Number.NEGATIVE_INFINITY);
    expect(meter.integratedLufs).toBeCloseTo(-20, 6);
  });

  it('takes what is no number for silence', () => {
    const meter = meterOf([[-20, 10]]);
    for (const energy of [Number.NaN, Number.POSITIVE_INFINITY, 0]) meter.push(energy);
    for (let hop = 0; hop < 150; hop += 1) meter.push(0);
    expect(meter.integratedLufs).toBeGreaterThan(-20.1);
    expect(meter.integratedLufs).toBeLessThan(-19.9);
    expect(meter.shortTermLufs).toBe(Number.NEGATIVE_INFINITY);
  });

  it('knows every number of channels that a stream can have', () => {
    const counts = [1, 2, 3, 4, 5, 6, 7, 8];
    expect(counts.map((count) => loudnessWeights(count).length)).toEqual(counts);
    expect(() => loudnessWeights(9)).toThrow('9 channels');
  });
});
