import { describe, expect, it } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import type { DspKernels } from '../../src/base/native/dsp-kernels.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { Dsp, openDsp, type PcmLayout } from '../../src/dsp/dsp.ts';
import { newFftPlan } from '../../src/dsp/fft-plan.ts';
import { newKWeighting } from '../../src/dsp/k-weighting.ts';
import { limiterDelayFrames, newLimiter } from '../../src/dsp/limiter.ts';
import { newMelPlan } from '../../src/dsp/mel-plan.ts';
import { scriptKernels } from '../../src/dsp/script-kernels.ts';
import { newTruePeakState } from '../../src/dsp/true-peak.ts';
import { Random } from '../support/random.ts';

const twins: readonly (readonly [name: string, kernels: DspKernels])[] = [
  ['the addon', nativeKernels()],
  ['TypeScript', scriptKernels],
];

function nativeKernels(): DspKernels {
  const native = loadNativeAddon();
  if ('reason' in native) throw new Error(`the native addon is needed here: ${native.reason}`);
  if (!native.addon.dsp) throw new Error('the native addon is needed here: this one has no dsp');
  return native.addon.dsp;
}

const layouts: readonly PcmLayout[] = [
  { bits: 8 },
  { bits: 16 },
  { bits: 24 },
  { bits: 24, isPacked: true },
  { bits: 32 },
];
const bytesOf = ({ bits, isPacked }: PcmLayout) => (bits === 24 && !isPacked ? 4 : bits / 8);
const nameOf = ({ bits, isPacked }: PcmLayout) =>
  `${bits} bits${isPacked ? ' in three bytes' : ''}`;
const layoutCases = layouts.map((layout) => [nameOf(layout), layout] as const);

/** Not a multiple of anything, so that loops have something left over. */
const oddFrames = 1937;

function noise(count: number, level = 1, seed = 1): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => level * (2 * random.next() - 1));
}

function sine(
  frames: number,
  { hz = 997, rate = 48_000, level = 1, channels = 1, phase = 0 } = {},
) {
  return Float32Array.from(
    { length: frames * channels },
    (_, index) =>
      level * Math.sin(phase + (2 * Math.PI * hz * Math.floor(index / channels)) / rate),
  );
}

/** Integers of the layout over its whole range, its ends among them. */
function pcmOf(layout: PcmLayout, count: number, seed = 1): Buffer {
  const random = new Random(seed);
  const bytes = bytesOf(layout);
  const pcm = Buffer.alloc(count * bytes);
  const full = 2 ** (layout.bits - 1);
  for (let index = 0; index < count; index += 1) {
    const some = [-full, full - 1, 0, -1][index] ?? Math.floor((2 * random.next() - 1) * full);
    pcm.writeIntLE(some, index * bytes, bytes);
  }
  return pcm;
}

function integersOf(layout: PcmLayout, pcm: Buffer): number[] {
  const bytes = bytesOf(layout);
  return Array.from({ length: pcm.length / bytes }, (_, index) =>
    pcm.readIntLE(index * bytes, bytes),
  );
}

function largestDifference(one: ArrayLike<number>, other: ArrayLike<number>): number {
  expect(one.length).toBe(other.length);
  return Array.from(one).reduce(
    (most, value, index) => Math.max(most, Math.abs(value - other[index]!)),
    0,
  );
}

describe.each(twins)('signal processing by %s', (_name, kernels) => {
  const dsp = new Dsp(kernels);

  describe.each(layoutCases)('of PCM with %s', (_layoutName, layout) => {
    const scale = 2 ** (layout.bits - 1);

    it('gives every integer its float', () => {
      const pcm = pcmOf(layout, oddFrames);
      const out = new Float32Array(oddFrames);
      dsp.toFloat(pcm, layout, out);
      expect([...out]).toEqual(integersOf(layout, pcm).map((value) => Math.fround(value / scale)));
    });

    it('gives every integer of up to 24 bits back', () => {
      const pcm = pcmOf(layout, oddFrames);
      const floats = new Float32Array(oddFrames);
      const back = Buffer.alloc(pcm.length);
      dsp.toFloat(pcm, layout, floats);
      dsp.fromFloat(floats, back, layout);
      const lost = largestDifference(integersOf(layout, pcm), integersOf(layout, back));
      // A float has 24 bits.
      expect(lost).toBeLessThanOrEqual(layout.bits === 32 ? 128 : 0);
    });

    it('clips what is too loud, and makes silence of what is no number', () => {
      const samples = Float32Array.of(1, 1.5, -1, -9, Number.POSITIVE_INFINITY, Number.NaN);
      const out = Buffer.alloc(samples.length * bytesOf(layout));
      dsp.fromFloat(samples, out, layout);
      const top = scale - 1;
      expect(integersOf(layout, out)).toEqual([top, top, -scale, -scale, top, 0]);
    });

    it('rounds halves to the even integer', () => {
      const halves = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5];
      const out = Buffer.alloc(halves.length * bytesOf(layout));
      dsp.fromFloat(
        Float32Array.from(halves, (half) => half / scale),
        out,
        layout,
      );
      // JavaScript knows −0.
      expect(integersOf(layout, out).map((value) => value + 0)).toEqual([0, 2, 2, 0, -2, -2]);
    });

    it('dithers with noise of one step and no bias, which goes on from call to call', () => {
      const count = 20_000;
      const state = Uint32Array.of(7);
      const samples = new Float32Array(count).fill(10.25 / scale);
      const out = Buffer.alloc(count * bytesOf(layout));
      const half = out.length / 2;
      dsp.fromFloat(samples.subarray(0, count / 2), out.subarray(0, half), layout, state);
      dsp.fromFloat(samples.subarray(count / 2), out.subarray(half), layout, state);
      expect(state[0]).toBe(7 + count);
      const values = integersOf(layout, out);
      const mean = values.reduce((sum, value) => sum + value, 0) / count;
      expect(mean).toBeCloseTo(10.25, 1);
      // Of triangular noise and the rounding, which is then independent of the signal: 1/4.
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
      expect(variance).toBeCloseTo(0.25, 1);
      expect(values.slice(0, half)).not.toEqual(values.slice(half));
      expect(Math.min(...values)).toBeGreaterThanOrEqual(9);
      expect(Math.max(...values)).toBeLessThanOrEqual(12);
    });

    it('adds and clips', () => {
      const target = pcmOf(layout, oddFrames, 1);
      const source = pcmOf(layout, oddFrames, 2);
      const [one, other] = [integersOf(layout, target), integersOf(layout, source)];
      dsp.saturatingAdd(target, source, layout);
      expect(integersOf(layout, target)).toEqual(
        one.map((value, index) => Math.max(-scale, Math.min(scale - 1, value + other[index]!))),
      );
    });
  });

  it.each([1, 2, 3, 4, 6, 8])('ramps the gain of %i channels in decibels', (channels) => {
    const samples = new Float32Array(oddFrames * channels).fill(0.5);
    dsp.gainRamp(samples, channels, 1, 0.1);
    for (const frame of [0, 1, 100, oddFrames - 1]) {
      const wanted = 0.5 * 0.1 ** (frame / oddFrames);
      for (let channel = 0; channel < channels; channel += 1) {
        expect(samples[frame * channels + channel]! / wanted).toBeCloseTo(1, 5);
      }
    }
  });

  it('ramps from and to silence without infinities, and keeps silent at 0', () => {
    const up = new Float32Array(1000).fill(1);
    dsp.gainRamp(up, 2, 0, 1);
    expect(up[0]).toBeCloseTo(1e-5, 8);
    expect(up[999]).toBeGreaterThan(0.97);
    const silent = new Float32Array(1000).fill(1);
    dsp.gainRamp(silent, 2, 0, 0);
    expect(silent.every((sample) => sample === 0)).toBe(true);
  });

  it('touches nothing with the gain 1', () => {
    const samples = noise(1000);
    const before = samples.slice();
    dsp.gainRamp(samples, 2, 1, 1);
    expect(samples).toEqual(before);
  });

  it('mixes', () => {
    const target = noise(oddFrames, 1, 1);
    const source = noise(oddFrames, 1, 2);
    const wanted = target.map((value, index) => value + source[index]! * 0.25);
    dsp.mix(target, source, 0.25);
    expect(largestDifference(target, wanted)).toBeLessThan(1e-6);
  });

  it('picks channels in any order, and the mean of all', () => {
    const samples = Float32Array.of(1, 2, 3, 10, 20, 30);
    const out = new Float32Array(8);
    dsp.pickChannels(samples, 3, Int32Array.of(2, 0, -1, 2), out);
    expect([...out]).toEqual([3, 1, 2, 3, 30, 10, 20, 30]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('measures peak and RMS of %i channels', (channels) => {
    const samples = noise(oddFrames * channels);
    for (let channel = 0; channel < channels; channel += 1) {
      for (let at = channel; at < samples.length; at += channels) samples[at]! *= channel + 1;
      // In the last frame, which loops must not leave out.
      samples[samples.length - channels + channel] = -20 - channel;
    }
    const peaks = new Float64Array(channels);
    const levels = new Float64Array(channels);
    dsp.peak(samples, channels, peaks);
    dsp.rms(samples, channels, levels);
    for (let channel = 0; channel < channels; channel += 1) {
      let sum = 0;
      for (let at = channel; at < samples.length; at += channels) sum += samples[at]! ** 2;
      expect(peaks[channel]).toBe(20 + channel);
      expect(levels[channel]! / Math.sqrt(sum / oddFrames)).toBeCloseTo(1, 6);
    }
  });

  it('sees no peak in what is no number', () => {
    const out = new Float64Array(1);
    dsp.peak(
      Float32Array.from({ length: 40 }, (_, index) => (index % 2 ? Number.NaN : 0.5)),
      1,
      out,
    );
    expect(out[0]).toBe(0.5);
  });

  it('finds the true peak between the samples', () => {
    // At a quarter of the rate and 45 degrees every sample is 3 dB below the peak.
    const samples = sine(4800, { hz: 12_000, phase: Math.PI / 4, level: 0.5, channels: 2 });
    const peaks = new Float64Array(2);
    dsp.peak(samples, 2, peaks);
    expect(20 * Math.log10(peaks[0]! / 0.5)).toBeCloseTo(-3.01, 2);
    dsp.truePeak(newTruePeakState(2), samples, peaks);
    for (const peak of peaks) expect(Math.abs(20 * Math.log10(peak / 0.5))).toBeLessThan(0.4);
  });

  it.each([1, 2, 3, 6, 8])('finds the same true peak of %i channels in any pieces', (channels) => {
    const samples = noise(400 * channels);
    const whole = new Float64Array(channels);
    dsp.truePeak(newTruePeakState(channels), samples, whole);
    const state = newTruePeakState(channels);
    const part = new Float64Array(channels);
    const best = new Float64Array(channels);
    const cuts = [0, 1, 3, 10, 11, 12, 40, 41, 200, 400];
    for (let index = 1; index < cuts.length; index += 1) {
      const [start, end] = [cuts[index - 1]!, cuts[index]!];
      dsp.truePeak(state, samples.subarray(start * channels, end * channels), part);
      for (const [channel, peak] of part.entries()) best[channel] = Math.max(best[channel]!, peak);
    }
    expect(largestDifference(best, whole)).toBeLessThan(1e-6);
  });

  it('weighs 997 Hz as the standard says: a sine of full scale is at −3.01 LKFS', () => {
    for (const rate of [44_100, 48_000, 96_000, 192_000]) {
      const samples = sine(rate, { rate });
      const out = new Float64Array(1);
      dsp.kWeightedEnergy(newKWeighting(rate, 1), samples, out);
      expect(-0.691 + 10 * Math.log10(out[0]! / rate)).toBeCloseTo(-3.01, 1);
    }
  });

  it('weighs every channel by itself, in any pieces, and forgets what is no number', () => {
    const samples = noise(3 * 900);
    samples[4] = Number.NaN;
    const state = newKWeighting(48_000, 3);
    const out = new Float64Array(3);
    dsp.kWeightedEnergy(state, samples.subarray(0, 900), out);
    expect(out[1]).toBeNaN();
    const sum = new Float64Array(3);
    for (const [start, end] of [[900, 903] as const, [903, 2700] as const]) {
      dsp.kWeightedEnergy(state, samples.subarray(start, end), out);
      for (const [channel, value] of out.entries()) sum[channel]! += value;
    }
    const alone = newKWeighting(48_000, 1);
    const expected = new Float64Array(1);
    dsp.kWeightedEnergy(alone, channelOf(samples, 3, 2).subarray(0, 300), expected);
    dsp.kWeightedEnergy(alone, channelOf(samples, 3, 2).subarray(300), expected);
    expect(sum[2]! / expected[0]!).toBeCloseTo(1, 9);
    expect(sum[1]).toBeGreaterThan(0);
  });

  it('limits to −1 dBFS, without a click, and comes back', () => {
    const rate = 48_000;
    const samples = sine(rate, { channels: 2, hz: 440, level: 0.5 });
    for (let at = rate / 2; at < rate / 2 + 9600; at += 1) samples[at]! *= 4;
    const before = samples.slice();
    const state = newLimiter(rate, 2);
    for (let at = 0; at < samples.length; at += 1920)
      dsp.limit(state, samples.subarray(at, at + 1920));
    const ceiling = 10 ** (-1 / 20);
    const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(loudest).toBeLessThanOrEqual(Math.fround(ceiling));
    expect(loudest).toBeGreaterThan(ceiling * 0.98);
    const delay = limiterDelayFrames(state) * 2;
    expect(delay).toBe(2 * 240);
    // Bit-exact long before, and half a second after.
    expect(samples.subarray(delay, rate / 2 - 960)).toEqual(
      before.subarray(0, rate / 2 - 960 - delay),
    );
    expect(samples.subarray(0, delay).every((sample) => sample === 0)).toBe(true);
    const after = rate + rate / 2 + 9600;
    expect(samples.subarray(after)).toEqual(before.subarray(after - delay, samples.length - delay));
  });

  it.each([4, 12, 30, 64, 400, 2048, 1800])('transforms %i samples', (size) => {
    const samples = noise(size);
    const out = new Float32Array(size + 2);
    dsp.realFft(newFftPlan(size), samples, out);
    for (const bin of new Set([0, 1, Math.floor(size / 6), size / 2 - 1, size / 2])) {
      let real = 0;
      let imaginary = 0;
      for (let index = 0; index < size; index += 1) {
        const angle = (-2 * Math.PI * bin * index) / size;
        real += samples[index]! * Math.cos(angle);
        imaginary += samples[index]! * Math.sin(angle);
      }
      expect(Math.abs(out[2 * bin]! - real)).toBeLessThan(1e-5 * size);
      expect(Math.abs(out[2 * bin + 1]! - imaginary)).toBeLessThan(1e-5 * size);
    }
  });

  it('names what does not fit', () => {
    const floats = new Float32Array(6);
    const out = new Float64Array(2);
    const bytes = new Uint8Array(16);
    const format = new SampleFormat({ rateHz: 48_000, bits: 16, channels: 2 });
    const cases: readonly (readonly [() => void, string])[] = [
      [() => dsp.toFloat(bytes, format, floats), '16 bytes: 6 samples of 2 bytes need 12'],
      [() => dsp.toFloat(bytes.subarray(1, 13), format, floats), 'begins at byte 1'],
      [() => dsp.fromFloat(floats, bytes, { bits: 32 }), '6 samples of 4 bytes need 24'],
      [() => dsp.fromFloat(floats, new Uint8Array(6), { bits: 8 }, new Uint32Array(2)), 'dither'],
      [() => dsp.saturatingAdd(bytes.subarray(1), bytes.subarray(1), format), '15 bytes'],
      [() => dsp.gainRamp(floats, 4, 1, 0), '6 samples are no whole number of frames of 4'],
      [() => dsp.gainRamp(floats, 0, 1, 0), '0 channels'],
      [() => dsp.gainRamp(floats, 2, -1, 0), 'gain is -1'],
      [() => dsp.mix(floats, new Float32Array(5), 1), 'source has the length 5 instead of 6'],
      [() => dsp.mix(floats, floats, Number.NaN), 'gain is NaN'],
      [() => dsp.pickChannels(floats, 2, Int32Array.of(2), new Float32Array(3)), 'no channel 2'],
      [() => dsp.pickChannels(floats, 2, Int32Array.of(0), floats), 'out has the length 6'],
      [() => dsp.peak(floats, 1, out), 'out has the length 2 instead of 1'],
      [() => dsp.truePeak(new Float32Array(12), floats, out), 'channels'],
      [() => dsp.kWeightedEnergy(new Float64Array(3), floats, out), 'channels'],
      [() => dsp.limit(new Float64Array(0), floats), '0 channels'],
      [() => dsp.realFft(newFftPlan(8), floats, floats), 'samples has the length 6 instead of 8'],
      [() => newFftPlan(14), 'product of 2, 3 and 5'],
    ];
    for (const [call] of cases) expect(call).toThrow(RangeError);
    for (const [call, text] of cases) expect(call).toThrow(text);
  });
});

function channelOf(samples: Float32Array, channels: number, channel: number): Float32Array {
  return samples.filter((_, index) => index % channels === channel);
}

describe('the two implementations of signal processing', () => {
  const [native, script] = twins.map(([, kernels]) => new Dsp(kernels)) as [Dsp, Dsp];

  /** Runs the same in both; `results` is what is to be compared. */
  function difference(run: (dsp: Dsp) => ArrayLike<number>): number {
    return largestDifference(run(native), run(script));
  }

  it.each(layoutCases)('dither %s alike, to the bit', (_name, layout) => {
    const run = (dsp: Dsp) => {
      const state = Uint32Array.of(0xfffffff0);
      const out = Buffer.alloc(oddFrames * bytesOf(layout));
      dsp.fromFloat(noise(oddFrames, 1.2), out, layout, state);
      return [...out, state[0]!];
    };
    expect(run(native)).toEqual(run(script));
  });

  it.each([1, 2, 3, 6, 8])('give the same floats of %i channels', (channels) => {
    const samples = () => noise(oddFrames * channels, 1.5);
    const meter = (measure: (dsp: Dsp, out: Float64Array) => void) => (dsp: Dsp) => {
      const out = new Float64Array(channels);
      measure(dsp, out);
      return out;
    };
    const ramped = (dsp: Dsp) => {
      const changed = samples();
      dsp.gainRamp(changed, channels, 0, 0.7);
      return changed;
    };
    const limited = (dsp: Dsp) => {
      const changed = samples();
      dsp.limit(newLimiter(48_000, channels), changed);
      return changed;
    };
    const picked = (dsp: Dsp) => {
      const out = new Float32Array(oddFrames * 2);
      dsp.pickChannels(samples(), channels, Int32Array.of(-1, channels - 1), out);
      return out;
    };
    expect(difference(ramped)).toBeLessThan(1e-5);
    expect(difference(limited)).toBeLessThan(1e-5);
    expect(difference(picked)).toBeLessThan(1e-5);
    expect(difference(meter((dsp, out) => dsp.rms(samples(), channels, out)))).toBeLessThan(1e-5);
    const truePeak = meter((dsp, out) => dsp.truePeak(newTruePeakState(channels), samples(), out));
    expect(difference(truePeak)).toBeLessThan(1e-5);
    const weighted = meter((dsp, out) => {
      dsp.kWeightedEnergy(newKWeighting(44_100, channels), samples(), out);
      for (let channel = 0; channel < channels; channel += 1) out[channel]! /= oddFrames;
    });
    expect(difference(weighted)).toBeLessThan(1e-5);
  });

  it('give the same spectra', () => {
    const spectrum = (dsp: Dsp) => {
      const out = new Float32Array(402);
      dsp.realFft(newFftPlan(400), noise(400, 0.1), out);
      return out;
    };
    const shape = { rate: 16_000, bands: 80, window: 400, hop: 160 } as const;
    const mel = (dsp: Dsp) => {
      const out = new Float32Array(80 * 98);
      const plan = newMelPlan({ ...shape, scale: 'log10', norm: 'area' });
      expect(dsp.melSpectrum(noise(16_000, 0.5), plan, out)).toBe(98);
      return out;
    };
    expect(difference(spectrum)).toBeLessThan(1e-5);
    expect(difference(mel)).toBeLessThan(1e-5);
  });

  it('are the addon where there is one, and TypeScript elsewhere', async () => {
    const native = loadNativeAddon();
    const samples = noise(64);
    for (const dsp of [await openDsp(native), await openDsp({ reason: 'none' })]) {
      const out = new Float64Array(1);
      dsp.peak(samples, 1, out);
      expect(out[0]).toBeGreaterThan(0.5);
    }
  });
});

it('refuses in the addon what would leave its memory', () => {
  const native = nativeKernels();
  const floats = new Float32Array(6);
  const out = new Float64Array(1);
  const limiter = newLimiter(48_000, 1);
  limiter[0] = 1e6;
  const plan = newMelPlan({
    rate: 16_000,
    bands: 8,
    window: 64,
    hop: 32,
    scale: 'power',
    norm: 'peak',
  });
  plan.shape[7] = 60;
  const calls = [
    () => native.toFloat(new Uint8Array(4), 16, 2, floats),
    () => native.mix(floats, new Float32Array(7), 1),
    () => native.peak(floats, 2, out),
    () => native.truePeak(new Float32Array(3), floats, 1, out),
    () => native.limit(limiter, floats, 1),
    () => native.realFft(new Float32Array(2).fill(400), floats, floats),
    () => native.melRows(plan.tables, plan.shape, floats, 0, new Float32Array(0)),
    () => native.pickChannels(floats, 2, Int32Array.of(9), new Float32Array(3)),
  ];
  for (const call of calls) expect(call).toThrow('would leave its memory');
});
