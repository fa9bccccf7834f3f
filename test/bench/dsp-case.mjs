// Measures the signal processing of src/dsp on 20 ms of stereo, by the addon and by TypeScript in turns:
//
//   node --import tsx dsp-case.mjs ROUNDS WINDOW_MS
//
// Prints one JSON line; times are the best of all rounds, as other programs can only make them longer.
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { loadNativeAddon } from '../../src/base/native/native-addon.ts';
import { Dsp } from '../../src/dsp/dsp.ts';
import { newFftPlan } from '../../src/dsp/fft-plan.ts';
import { newKWeighting } from '../../src/dsp/k-weighting.ts';
import { newLimiter } from '../../src/dsp/limiter.ts';
import { melRows, newMelPlan } from '../../src/dsp/mel-plan.ts';
import { melShapeOf } from '../../src/dsp/mel-shape.ts';
import { scriptKernels } from '../../src/dsp/script-kernels.ts';
import { newTruePeakState } from '../../src/dsp/true-peak.ts';

const [rounds, windowMs] = process.argv.slice(2).map(Number);
const { addon, reason } = loadNativeAddon();
if (!addon?.dsp) throw new Error(`no native addon: ${reason ?? 'it has no dsp'}`);
const twins = { addon: new Dsp(addon.dsp), script: new Dsp(scriptKernels) };

const rate = 48_000;
const channels = 2;
const count = 1920;
const bits16 = { bits: 16 };
const bits24 = { bits: 24 };
const packed24 = { bits: 24, isPacked: true };
/** Levels stay where they are: gains go down and up again. */
let isDown = false;

function noise(length, level = 0.25) {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return level * (state / 2 ** 31 - 1);
  });
}

const samples = noise(count);
const other = noise(count);
const out = new Float64Array(channels);
const pcm16 = Buffer.alloc(count * 2, 3);
const more16 = Buffer.alloc(count * 2);
const pcm24 = Buffer.alloc(count * 4);
const pcm24Packed = Buffer.alloc(count * 3, 7);
const dither = new Uint32Array(1);
const truePeak = newTruePeakState(channels);
const weighting = newKWeighting(rate, channels);
const limiter = newLimiter(rate, channels);
const picks = Int32Array.of(1, 0);
const fft = newFftPlan(count);
const spectrum = new Float32Array(count + 2);

/** Named as in native/dsp-kernels.cpp. */
const operations = {
  '16 bits to float': (dsp) => dsp.toFloat(pcm16, bits16, other),
  '24 bits to float': (dsp) => dsp.toFloat(pcm24, bits24, other),
  'packed 24 bits to float': (dsp) => dsp.toFloat(pcm24Packed, packed24, other),
  'float to 16 bits': (dsp) => dsp.fromFloat(samples, pcm16, bits16),
  'float to 16 bits, dithered': (dsp) => dsp.fromFloat(samples, pcm16, bits16, dither),
  'float to 24 bits': (dsp) => dsp.fromFloat(samples, pcm24, bits24),
  'saturating add, 16 bits': (dsp) => dsp.saturatingAdd(pcm16, more16, bits16),
  'gain ramp': (dsp) => {
    isDown = !isDown;
    if (isDown) dsp.gainRamp(samples, channels, 1, 0.5);
    else dsp.gainRamp(samples, channels, 1, 2);
  },
  mix: (dsp) => dsp.mix(samples, other, 1e-9),
  'channel pick': (dsp) => dsp.pickChannels(samples, channels, picks, other),
  peak: (dsp) => dsp.peak(samples, channels, out),
  RMS: (dsp) => dsp.rms(samples, channels, out),
  'true peak': (dsp) => dsp.truePeak(truePeak, samples, out),
  'K-weighted energy': (dsp) => dsp.kWeightedEnergy(weighting, samples, out),
  limiter: (dsp) => dsp.limit(limiter, samples),
  'Fourier transform': (dsp) => dsp.realFft(fft, samples, spectrum),
};

/** Nanoseconds of one call; long ones need no repetition. */
function timeOf(call, repetitions) {
  const startMs = performance.now();
  let calls = 0;
  let passedMs = 0;
  do {
    for (let index = 0; index < repetitions; index++) call();
    calls += repetitions;
    passedMs = performance.now() - startMs;
  } while (passedMs < windowMs);
  return (passedMs * 1e6) / calls;
}

/** The best time of each of these; the first round is only to let V8 compile. */
function bestOf(calls, repetitions = 20) {
  const best = Object.fromEntries(
    Object.keys(calls).map((name) => [name, Number.POSITIVE_INFINITY]),
  );
  for (let round = 0; round <= rounds; round++) {
    for (const [name, call] of Object.entries(calls)) {
      const ns = timeOf(call, repetitions);
      if (round > 0) best[name] = Math.min(best[name], ns);
    }
  }
  return best;
}

function perSample(times) {
  return Object.fromEntries(Object.entries(times).map(([name, ns]) => [name, ns / count]));
}

function measureOperations() {
  const entries = Object.entries(operations).map(([name, run]) => {
    const calls = { addon: () => run(twins.addon), script: () => run(twins.script) };
    return [name, perSample(bestOf(calls))];
  });
  return Object.fromEntries(entries);
}

/** A chunk is mixed: to floats, gain, sum, back to integers. */
function mixChunk(dsp, { source, floats, result }) {
  dsp.toFloat(source, bits16, floats);
  dsp.gainRamp(floats, channels, 0.5, 0.4);
  dsp.mix(floats, other, 0.1);
  dsp.fromFloat(floats, result, bits16, dither);
}

/** By who has the memory: the caller, the pool, or nobody yet. */
function measureMemory() {
  const pool = new ChunkPool({ allocate: addon.allocateSlab });
  const source = Buffer.alloc(count * 2, 3);
  const kept = { source, floats: new Float32Array(count), result: Buffer.alloc(count * 2) };
  const ways = {
    kept: (dsp) => mixChunk(dsp, kept),
    pool: (dsp) => {
      const chunk = pool.acquire(count * 2, 'the benchmark');
      mixChunk(dsp, { source, floats: kept.floats, result: chunk.writable.subarray(0, count * 2) });
      chunk.release();
    },
    fresh: (dsp) => {
      const floats = new Float32Array(count);
      mixChunk(dsp, { source, floats, result: Buffer.allocUnsafeSlow(count * 2) });
    },
  };
  const calls = Object.entries(twins).flatMap(([twin, dsp]) =>
    Object.entries(ways).map(([way, run]) => [`${twin} ${way}`, () => run(dsp)]),
  );
  const times = perSample(bestOf(Object.fromEntries(calls)));
  pool.close();
  return times;
}

/** Rows into memory that is there, into fresh memory, and by a copy out of fresh memory. */
function measureMel(seconds) {
  const shape = melShapeOf('speech', 16_000);
  const plan = newMelPlan(shape);
  const audio = noise(seconds * shape.rate);
  const rows = melRows(plan, audio.length);
  const numbers = rows * shape.bands;
  const frame = new Float32Array(numbers);
  const ways = {
    given: (dsp) => dsp.melSpectrum(audio, plan, frame),
    fresh: (dsp) => dsp.melSpectrum(audio, plan, new Float32Array(numbers)),
    copied: (dsp) => {
      const made = new Float32Array(numbers);
      dsp.melSpectrum(audio, plan, made);
      frame.set(made);
    },
  };
  const calls = Object.entries(twins).flatMap(([twin, dsp]) =>
    Object.entries(ways).map(([way, run]) => [`${twin} ${way}`, () => run(dsp)]),
  );
  const times = Object.entries(bestOf(Object.fromEntries(calls), 1));
  const perRow = Object.fromEntries(times.map(([name, ns]) => [name, ns / rows]));
  return { seconds, rows, bytesPerRow: 4 * shape.bands, nsPerRow: perRow };
}

const result = {
  processor: addon.dsp.processor,
  operations: measureOperations(),
  memory: measureMemory(),
  mel: [5, 10, 30].map(measureMel),
};
console.log(JSON.stringify(result));
