import { fftPlanHeader, fftPlanNumbers, fftRadices } from './fft-plan.ts';
import { melField } from './mel-plan.ts';

/** Quieter than this is told as if it were so loud: −100 dB. */
const smallestPower = 1e-10;

/** The twin of native/core/dsp/fft.cpp: pairs for each frequency from 0 to half the rate. */
export function scriptFft(plan: Float32Array, samples: Float32Array, out: Float32Array): void {
  const size = plan[0]!;
  const work = fftPlanHeader + 2 * size;
  plan.set(samples, work);
  transform(plan, size, out, 0);
}

/** Transforms what lies in the first work area; the result begins at `at`. */
function transform(plan: Float32Array, size: number, out: Float32Array, at: number): void {
  const points = size / 2;
  let from = fftPlanHeader + 2 * size;
  let to = from + size;
  let rest = points;
  for (const radix of fftRadices) {
    while (rest % radix === 0) {
      if (radix === 4) radix4(plan, { size, length: rest, from, to });
      else anyRadix(plan, { size, length: rest, from, to, radix });
      rest /= radix;
      const free = from;
      from = to;
      to = free;
    }
  }
  split(plan, size, from, out, at);
}

interface FftPass {
  readonly size: number;
  readonly length: number;
  readonly from: number;
  readonly to: number;
}

/** One pass of the self-sorting transform. Source: T. G. Stockham (1966). */
function radix4(plan: Float32Array, { size, length, from, to }: FftPass): void {
  const stride = size / 2 / length;
  const quarter = length / 4;
  const step = 2 * stride * quarter;
  for (let part = 0; part < quarter; part += 1) {
    const root = fftPlanHeader + 4 * stride * part;
    const w1r = plan[root]!;
    const w1i = plan[root + 1]!;
    const w2r = plan[root + 4 * stride * part]!;
    const w2i = plan[root + 4 * stride * part + 1]!;
    const w3r = plan[root + 8 * stride * part]!;
    const w3i = plan[root + 8 * stride * part + 1]!;
    for (let index = 0; index < stride; index += 1) {
      const source = from + 2 * (index + stride * part);
      const target = to + 2 * (index + 4 * stride * part);
      const ar = plan[source]!;
      const ai = plan[source + 1]!;
      const br = plan[source + step]!;
      const bi = plan[source + step + 1]!;
      const cr = plan[source + 2 * step]!;
      const ci = plan[source + 2 * step + 1]!;
      const dr = plan[source + 3 * step]!;
      const di = plan[source + 3 * step + 1]!;
      const er = ar + cr;
      const ei = ai + ci;
      const fr = ar - cr;
      const fi = ai - ci;
      const gr = br + dr;
      const gi = bi + di;
      const hr = bi - di;
      const hi = dr - br;
      plan[target] = er + gr;
      plan[target + 1] = ei + gi;
      put(plan, target + 2 * stride, fr + hr, fi + hi, w1r, w1i);
      put(plan, target + 4 * stride, er - gr, ei - gi, w2r, w2i);
      put(plan, target + 6 * stride, fr - hr, fi - hi, w3r, w3i);
    }
  }
}

function anyRadix(
  plan: Float32Array,
  { size, length, from, to, radix }: FftPass & { readonly radix: number },
): void {
  const stride = size / 2 / length;
  const parts = length / radix;
  const step = 2 * stride * parts;
  const turn = size / radix;
  for (let part = 0; part < parts; part += 1) {
    for (let index = 0; index < stride; index += 1) {
      const source = from + 2 * (index + stride * part);
      const target = to + 2 * (index + radix * stride * part);
      for (let output = 0; output < radix; output += 1) {
        let real = 0;
        let imaginary = 0;
        for (let input = 0; input < radix; input += 1) {
          const root = fftPlanHeader + 2 * turn * ((input * output) % radix);
          const r = plan[source + input * step]!;
          const i = plan[source + input * step + 1]!;
          real += r * plan[root]! - i * plan[root + 1]!;
          imaginary += r * plan[root + 1]! + i * plan[root]!;
        }
        const root = fftPlanHeader + 4 * stride * part * output;
        put(plan, target + 2 * output * stride, real, imaginary, plan[root]!, plan[root + 1]!);
      }
    }
  }
}

function put(plan: Float32Array, at: number, r: number, i: number, wr: number, wi: number): void {
  plan[at] = r * wr - i * wi;
  plan[at + 1] = r * wi + i * wr;
}

/** The spectrum of real samples out of that of their pairs. */
function split(plan: Float32Array, size: number, from: number, out: Float32Array, at: number) {
  const points = size / 2;
  for (let bin = 0; bin <= points; bin += 1) {
    const one = from + 2 * (bin === points ? 0 : bin);
    const other = from + 2 * (bin === 0 ? 0 : points - bin);
    const evenReal = (plan[one]! + plan[other]!) / 2;
    const evenImaginary = (plan[one + 1]! - plan[other + 1]!) / 2;
    const oddReal = (plan[one + 1]! + plan[other + 1]!) / 2;
    const oddImaginary = (plan[other]! - plan[one]!) / 2;
    const wr = plan[fftPlanHeader + 2 * bin]!;
    const wi = plan[fftPlanHeader + 2 * bin + 1]!;
    out[at + 2 * bin] = evenReal + oddReal * wr - oddImaginary * wi;
    out[at + 2 * bin + 1] = evenImaginary + oddReal * wi + oddImaginary * wr;
  }
}

export function scriptMelRows(
  tables: Float32Array,
  shape: Int32Array,
  samples: Float32Array,
  rows: number,
  out: Float32Array,
): void {
  const window = shape[melField.window]!;
  const hop = shape[melField.hop]!;
  const bands = shape[melField.bands]!;
  const isCentred = shape[melField.isCentred] === 1;
  const scale = shape[melField.scale]!;
  const work = fftPlanHeader + 2 * window;
  const weightOfSample = fftPlanNumbers(window);
  const spectrum = weightOfSample + window;
  const last = samples.length - 1;
  for (let row = 0; row < rows; row += 1) {
    const start = row * hop - (isCentred ? window / 2 : 0);
    for (let index = 0; index < window; index += 1) {
      let at = start + index;
      if (at < 0) at = -at;
      if (at > last) at = 2 * last - at;
      tables[work + index] = samples[at]! * tables[weightOfSample + index]!;
    }
    transform(tables, window, tables, spectrum);
    for (let bin = 0; bin <= window / 2; bin += 1) {
      const real = tables[spectrum + 2 * bin]!;
      const imaginary = tables[spectrum + 2 * bin + 1]!;
      tables[spectrum + bin] = real * real + imaginary * imaginary;
    }
    let weight = spectrum + window + 2;
    for (let band = 0; band < bands; band += 1) {
      const first = spectrum + shape[melField.header + 2 * band]!;
      const count = shape[melField.header + 2 * band + 1]!;
      let power = 0;
      for (let index = 0; index < count; index += 1) {
        power += tables[first + index]! * tables[weight + index]!;
      }
      weight += count;
      out[row * bands + band] = scaled(power, scale);
    }
  }
}

function scaled(power: number, scale: number): number {
  if (scale === 0) return power;
  const log = Math.log10(power > smallestPower ? power : smallestPower);
  return scale === 1 ? 10 * log : log;
}
