import { describe, expect, it } from 'vitest';
import { chimeNames, isChime, synthesizeChime } from '../../../src/announcements/chimes.ts';
import { Sound } from '../../../src/announcements/sound.ts';
import { normalizingGain } from '../../../src/announcements/sound-loudness.ts';

function samplesOf(sound: Sound): Float32Array {
  const samples = new Float32Array(sound.frames * sound.channels);
  sound.read(0, samples);
  return samples;
}

describe.each(chimeNames.map((name) => [name]))('the chime %s', async (name) => {
  const sound = await (isChime(name) ? synthesizeChime(name) : expect.unreachable());
  const samples = samplesOf(sound);
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

  it('is heard, and never clips', () => {
    expect(peak).toBeGreaterThan(0.1);
    expect(peak).toBeLessThan(1);
  });

  it('begins and ends without a click', () => {
    expect(Math.abs(samples[0]!)).toBeLessThan(0.01);
    expect(Math.abs(samples.at(-1)!)).toBeLessThan(0.001);
    expect(sound.hasEnded).toBe(true);
    expect(sound.durationMs).toBeLessThanOrEqual(6000);
  });
});

it('names that are in every object are no chimes', () => {
  expect(['toString', '__proto__', 'ding '].filter(isChime)).toEqual([]);
});

describe('the gain of an announcement', () => {
  function noise(level: number, ms: number): Sound {
    const samples = new Float32Array(48 * ms);
    let seed = 1;
    for (let index = 0; index < samples.length; index += 1) {
      seed = (seed * 48_271) % 0x7fff_ffff;
      samples[index] = level * ((2 * seed) / 0x7fff_ffff - 1);
    }
    return Sound.of({ rateHz: 48_000, channels: 1, samples });
  }

  it('brings loud and quiet ones to the same loudness', async () => {
    const [loud, quiet] = [noise(0.9, 2000), noise(0.09, 2000)];
    const ratio = (await normalizingGain(quiet)) / (await normalizingGain(loud));
    expect(20 * Math.log10(ratio)).toBeCloseTo(20, 0);
  });

  it('brings a tone of 1 kHz to -16 LUFS', async () => {
    const samples = Float32Array.from({ length: 96_000 }, (_, index) =>
      Math.sin((2 * Math.PI * 997 * index) / 48_000),
    );
    // Source: ITU-R BS.1770-4: a full-scale sine in one channel has -3.01 LUFS.
    const gain = await normalizingGain(Sound.of({ rateHz: 48_000, channels: 1, samples }));
    expect(20 * Math.log10(gain)).toBeCloseTo(-12.99, 1);
  });

  it('is measured of the shortest, and leaves silence as it is', async () => {
    expect(await normalizingGain(noise(0.1, 50))).toBeGreaterThan(1);
    expect(await normalizingGain(noise(0, 1000))).toBe(1);
    expect(await normalizingGain(noise(0.00001, 1000))).toBeLessThanOrEqual(10);
  });
});
