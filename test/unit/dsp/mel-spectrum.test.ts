import { describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { loadNativeAddon } from '../../../src/base/native/native-addon.ts';
import { Dsp, openDsp } from '../../../src/dsp/dsp.ts';
import { type MelShape, melRows, newMelPlan } from '../../../src/dsp/mel-plan.ts';
import { melShapeOf } from '../../../src/dsp/mel-shape.ts';
import { scriptKernels } from '../../../src/dsp/script-kernels.ts';
import { sendingAddon } from '../../support/native.ts';
import { Random } from '../../support/random.ts';

const twins: readonly (readonly [name: string, dsp: Dsp])[] = [
  ['the addon', await openDsp(loadNativeAddon())],
  ['TypeScript', new Dsp(scriptKernels)],
];

const speech = melShapeOf('speech', 48_000);
const shapes: readonly (readonly [name: string, shape: MelShape])[] = [
  ['speech, 80 bands', speech],
  ['speech, 128 bands', melShapeOf('speech', 48_000, 128)],
  ['speech of a whole recording', { ...speech, isCentred: true }],
  ['display at 48 kHz', melShapeOf('display', 48_000)],
  ['display at 44.1 kHz', melShapeOf('display', 44_100)],
];

/** A sweep over chords that get louder, then noise that gets quieter, then nearly nothing. */
function music(rate: number): Float32Array {
  const random = new Random(5);
  return Float32Array.from({ length: rate / 2 }, (_, index) => {
    const at = (2 * index) / rate;
    const sweep = 0.3 * Math.sin(2 * Math.PI * (30 * at + 1500 * at * at));
    const chord =
      0.3 * at * (Math.sin(2 * Math.PI * 110 * at) + Math.sin(2 * Math.PI * 277.2 * at));
    const noise = (2 * random.next() - 1) * 10 ** (-1 - 4 * at);
    if (at > 0.8) return noise / 10;
    return sweep + chord + noise;
  });
}

/** By the definitions alone: rows of powers, in double precision. */
function referencePowers(samples: Float32Array, shape: MelShape): number[][] {
  const { bands, window, hop, norm, isCentred = false } = shape;
  const weights = Array.from({ length: window }, (_, index) => {
    const hann = Math.sin((Math.PI * index) / window) ** 2;
    return norm === 'peak' ? (4 * hann) / window : hann;
  });
  const turns = Array.from({ length: window }, (_, index) => (2 * Math.PI * index) / window);
  const cosines = turns.map(Math.cos);
  const sines = turns.map(Math.sin);
  const filters = referenceFilters(shape);
  const last = samples.length - 1;
  const sampleAt = (at: number) => samples[at < 0 ? -at : at > last ? 2 * last - at : at]!;
  const rows = isCentred
    ? Math.floor(samples.length / hop)
    : Math.floor((samples.length - window) / hop) + 1;
  return Array.from({ length: rows }, (_, row) => {
    const start = row * hop - (isCentred ? window / 2 : 0);
    const weighed = weights.map((weight, index) => weight * sampleAt(start + index));
    const powers = Array.from({ length: window / 2 + 1 }, (_, bin) => {
      let real = 0;
      let imaginary = 0;
      for (let index = 0, turn = 0; index < window; index += 1, turn = (turn + bin) % window) {
        real += weighed[index]! * cosines[turn]!;
        imaginary -= weighed[index]! * sines[turn]!;
      }
      return real * real + imaginary * imaginary;
    });
    expect(filters).toHaveLength(bands);
    return filters.map((filter) =>
      filter.reduce((sum, weight, bin) => sum + weight * powers[bin]!, 0),
    );
  });
}

/** Source: M. Slaney, Auditory Toolbox (1998), as `librosa.filters.mel` has it. */
function referenceFilters({ rate, bands, window, norm }: MelShape): number[][] {
  const hzOf = (mel: number) => (mel < 15 ? (mel * 200) / 3 : 1000 * 6.4 ** ((mel - 15) / 27));
  const highest = 15 + (27 * Math.log(rate / 2000)) / Math.log(6.4);
  const edges = Array.from({ length: bands + 2 }, (_, index) =>
    hzOf((highest * index) / (bands + 1)),
  );
  return Array.from({ length: bands }, (_, band) => {
    const [left, middle, right] = [edges[band]!, edges[band + 1]!, edges[band + 2]!];
    return Array.from({ length: window / 2 + 1 }, (_, bin) => {
      const hz = (bin * rate) / window;
      const up = (hz - left) / (middle - left);
      const down = (right - hz) / (right - middle);
      return Math.max(0, Math.min(up, down)) * (norm === 'area' ? 2 / (right - left) : 1);
    });
  });
}

const decibels = (power: number) => 10 * Math.log10(Math.max(power, 1e-10));

function cosine(one: readonly number[], other: readonly number[]): number {
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, index) => sum + value * b[index]!, 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

describe.each(twins)('mel spectra by %s', (_name, dsp) => {
  it.each(shapes)('are those of double precision: %s', (_shapeName, shape) => {
    const samples = music(shape.rate);
    const plan = newMelPlan(shape);
    const wanted = referencePowers(samples, shape);
    const rows = melRows(plan, samples.length);
    expect(rows).toBe(wanted.length);
    const output = new Float32Array(rows * shape.bands);
    expect(dsp.melSpectrum(samples, plan, output)).toBe(rows);
    const perUnit = shape.scale === 'log10' ? 10 : 1;
    let worstDb = 0;
    let worstCosine = 1;
    for (const [row, powers] of wanted.entries()) {
      const found = [...output.subarray(row * shape.bands, (row + 1) * shape.bands)];
      const wantedDb = powers.map(decibels);
      const foundDb = found.map((value) => value * perUnit);
      for (const [band, db] of foundDb.entries()) {
        worstDb = Math.max(worstDb, Math.abs(db - wantedDb[band]!));
      }
      worstCosine = Math.min(worstCosine, cosine(foundDb, wantedDb));
    }
    expect(worstDb).toBeLessThanOrEqual(0.5);
    expect(worstCosine).toBeGreaterThanOrEqual(0.9999);
  });

  it('are the same in fresh memory, in a slot of the pool, and at the end of a frame', () => {
    const addon = sendingAddon();
    const pool = new ChunkPool({ allocate: addon.allocateSlab });
    const plan = newMelPlan(speech);
    const samples = music(speech.rate);
    const rows = melRows(plan, samples.length);
    const fresh = new Float32Array(rows * speech.bands);
    dsp.melSpectrum(samples, plan, fresh);

    const headerBytes = 8;
    const chunk = pool.acquire(headerBytes + fresh.byteLength + 4, 'test');
    const frame = chunk.writable.subarray(0, headerBytes + fresh.byteLength + 4).fill(0x5a);
    const address = addon.addressOf(frame.buffer);
    const payload = frame.subarray(headerBytes, headerBytes + fresh.byteLength);
    expect(dsp.melSpectrum(samples, plan, payload)).toBe(rows);
    expect(addon.addressOf(frame.buffer)).toBe(address);
    expect(payload.equals(Buffer.from(fresh.buffer))).toBe(true);
    // Neither the header nor what follows is touched.
    expect([...frame.subarray(0, headerBytes), ...frame.subarray(-4)]).toEqual(
      new Array(headerBytes + 4).fill(0x5a),
    );
    chunk.release();
    pool.close();
  });

  it('show a sine of full scale at 0 dB, in its band', () => {
    const shape = melShapeOf('display', 48_000);
    const plan = newMelPlan(shape);
    // In the middle of a bin, and far from the edges of the scale.
    const hz = (shape.rate / shape.window) * 128;
    const samples = Float32Array.from({ length: shape.window }, (_, index) =>
      Math.sin((2 * Math.PI * hz * index) / shape.rate),
    );
    const output = new Float32Array(shape.bands);
    dsp.melSpectrum(samples, plan, output);
    const loudest = Math.max(...output);
    expect(Math.abs(loudest)).toBeLessThan(3);
    expect(output.filter((db) => db > loudest - 12).length).toBeLessThanOrEqual(3);
    expect(output.at(-1)).toBeLessThan(-70);
  });

  it('of silence are the floor, and of no number never more than no number', () => {
    const plan = newMelPlan(speech);
    const output = new Float32Array(speech.bands);
    dsp.melSpectrum(new Float32Array(400), plan, output);
    expect(new Set(output)).toEqual(new Set([-10]));
    dsp.melSpectrum(new Float32Array(400).fill(Number.NaN), plan, output);
    dsp.melSpectrum(new Float32Array(400), plan, output);
    expect(new Set(output)).toEqual(new Set([-10]));
  });

  it('need memory of the right shape', () => {
    const plan = newMelPlan(speech);
    const samples = new Float32Array(720);
    const bytes = new Uint8Array(4 * 240 + 4);
    const write = (output: Float32Array | Uint8Array) => () =>
      dsp.melSpectrum(samples, plan, output);
    expect(write(new Float32Array(3 * 80))).not.toThrow();
    expect(write(bytes.subarray(4))).not.toThrow();
    // Rows that are to lie further apart than they are long.
    expect(write(new Float32Array(3 * 96))).toThrow(
      'output has 288 numbers: 720 samples make 3 rows of 80 bands, 240 numbers',
    );
    expect(write(bytes.subarray(2, 962))).toThrow('begins at byte 2');
    expect(write(bytes.subarray(0, 959))).toThrow('959 bytes are no whole number of float32');
  });
});

describe('a plan of mel spectra', () => {
  it('has the filters of speech recognisers', () => {
    const { shape, tables } = newMelPlan(speech);
    const [first, second] = [shape.slice(5, 7), shape.slice(7, 9)];
    const weights = tables.subarray(tables.length - total(shape));
    // Those of the first two bands at 40 Hz. Source: mel_filters.npz of Whisper.
    expect(weights[1 - first[0]!]).toBeCloseTo(0.0248626, 7);
    expect(weights[first[1]! + 1 - second[0]!]).toBeCloseTo(0.0019908, 7);
  });

  it.each([
    [{ bands: 0 }, 'bands is 0'],
    [{ bands: 2000 }, 'bands is 2000'],
    [{ hop: 0 }, 'hop is 0'],
    [{ hop: 1.5 }, 'hop is 1.5'],
    [{ window: 401 }, 'size of a transform is 401'],
    [{ rate: Number.NaN }, 'rate is NaN'],
    [{ maxHz: 9000 }, 'from 0 to 9000 Hz do not fit a rate of 16000 Hz'],
  ])('names what is wrong in %o', (change, text) => {
    expect(() => newMelPlan({ ...speech, ...change })).toThrow(text);
  });

  it('cannot centre rows of less audio than half a window', () => {
    const plan = newMelPlan({ ...speech, isCentred: true });
    expect(() => melRows(plan, 200)).toThrow('200 samples are too few to centre windows of 400');
    expect(melRows(plan, 320)).toBe(2);
  });

  it('makes no row of less than a window', () => {
    expect([399, 400, 559, 560].map((samples) => melRows(newMelPlan(speech), samples))).toEqual([
      0, 1, 1, 2,
    ]);
  });
});

function total(shape: Int32Array): number {
  let sum = 0;
  for (let index = 6; index < shape.length; index += 2) sum += shape[index]!;
  return sum;
}
