import { fftPlanNumbers, newFftPlan } from './fft-plan.ts';
import { hzOf, melOf } from './mel-scale.ts';

/** How the power of a band is told. */
const melScales = ['power', 'decibel', 'log10'] as const;

/** Which rows to make of audio. */
export interface MelShape {
  readonly rate: number;
  readonly bands: number;
  /** Samples of one row. */
  readonly window: number;
  /** Samples from row to row. */
  readonly hop: number;
  readonly scale: (typeof melScales)[number];
  /**
   * `area`: every band weighs the same, as speech recognisers want it; `peak`: a sine of full scale
   * in the middle of a band gives a power of 1.
   */
  readonly norm: 'area' | 'peak';
  /**
   * Row `n` lies around sample `n × hop` instead of behind it, and the audio is mirrored at its ends:
   * for whole recordings.
   */
  readonly isCentred?: boolean;
  /** Default 0. */
  readonly minHz?: number;
  /** Default half the rate. */
  readonly maxHz?: number;
}

/** Where in `MelPlan.shape` its numbers lie; first bin and count of each band follow. */
export const melField = { window: 0, hop: 1, bands: 2, scale: 3, isCentred: 4, header: 5 } as const;

/**
 * The tables behind a `MelShape`.
 *
 * Shape: `tables` is an FFT plan, then the window, then a spectrum to work in of `window + 2` numbers,
 * then the weights of the bands, one after another.
 */
export interface MelPlan {
  readonly shape: Int32Array;
  readonly tables: Float32Array;
}

/** Failure: throws a `RangeError` that names what is wrong. */
export function newMelPlan(wanted: MelShape): MelPlan {
  const { rate, bands, window, hop, scale, norm, isCentred = false } = wanted;
  const { minHz = 0, maxHz = rate / 2 } = wanted;
  if (!(rate > 0)) throw new RangeError(`rate is ${rate}: it must be above 0`);
  if (!(Number.isInteger(bands) && bands >= 1 && bands <= maxBands)) {
    throw new RangeError(`bands is ${bands}: it must be 1 to ${maxBands}`);
  }
  if (!(Number.isInteger(hop) && hop >= 1)) {
    throw new RangeError(`hop is ${hop}: it must be a whole number of samples above 0`);
  }
  if (!(minHz >= 0 && minHz < maxHz && maxHz <= rate / 2)) {
    throw new RangeError(`bands from ${minHz} to ${maxHz} Hz do not fit a rate of ${rate} Hz`);
  }
  const fft = newFftPlan(window);
  const filters = melFilters({ rate, bands, window, norm, minHz, maxHz });
  const weights = filters.flatMap((filter) => filter.weights);
  const tables = new Float32Array(melTableNumbers(window, weights.length));
  tables.set(fft);
  tables.set(hannWindow(window, norm), fft.length);
  tables.set(weights, tables.length - weights.length);
  const shape = new Int32Array(melField.header + 2 * bands);
  shape[melField.window] = window;
  shape[melField.hop] = hop;
  shape[melField.bands] = bands;
  shape[melField.scale] = melScales.indexOf(scale);
  shape[melField.isCentred] = Number(isCentred);
  for (const [band, { first, weights: own }] of filters.entries()) {
    shape[melField.header + 2 * band] = first;
    shape[melField.header + 2 * band + 1] = own.length;
  }
  return { shape, tables };
}

/** How many rows so many samples make. Failure: throws a `RangeError` when they are too few to centre. */
export function melRows({ shape }: MelPlan, samples: number): number {
  const window = shape[melField.window]!;
  const hop = shape[melField.hop]!;
  if (shape[melField.isCentred] === 0) {
    return samples < window ? 0 : Math.floor((samples - window) / hop) + 1;
  }
  if (samples <= window / 2) {
    throw new RangeError(`${samples} samples are too few to centre windows of ${window}`);
  }
  return Math.floor(samples / hop);
}

const maxBands = 1024;

function melTableNumbers(window: number, weights: number): number {
  return fftPlanNumbers(window) + window + window + 2 + weights;
}

/** Of one period; for `peak` such that a sine of full scale has the power 1 in its bin. */
function hannWindow(size: number, norm: MelShape['norm']): number[] {
  const scale = norm === 'peak' ? 4 / size : 1;
  return Array.from(
    { length: size },
    (_, index) => scale * (0.5 - 0.5 * Math.cos((2 * Math.PI * index) / size)),
  );
}

interface MelFilter {
  /** The first bin of the spectrum that counts. */
  readonly first: number;
  readonly weights: readonly number[];
}

/** Triangles that overlap by half, equally wide in mel. */
function melFilters({
  rate,
  bands,
  window,
  norm,
  minHz,
  maxHz,
}: Required<
  Pick<MelShape, 'rate' | 'bands' | 'window' | 'norm' | 'minHz' | 'maxHz'>
>): MelFilter[] {
  const low = melOf(minHz);
  const step = (melOf(maxHz) - low) / (bands + 1);
  const bins = window / 2;
  return Array.from({ length: bands }, (_, band) => {
    const left = hzOf(low + step * band);
    const middle = hzOf(low + step * (band + 1));
    const right = hzOf(low + step * (band + 2));
    const height = norm === 'area' ? 2 / (right - left) : 1;
    const weightAt = (bin: number) => {
      const hz = (bin * rate) / window;
      return (
        height *
        Math.max(0, Math.min((hz - left) / (middle - left), (right - hz) / (right - middle)))
      );
    };
    const first = Math.ceil((left * window) / rate);
    const last = Math.min(bins, Math.floor((right * window) / rate));
    const weights = Array.from({ length: last - first + 1 }, (_, index) => weightAt(first + index));
    if (norm === 'area' || weights.some((weight) => weight > 0.5)) return { first, weights };
    // Narrower than a bin: the nearest one stands for it.
    return { first: Math.round((middle * window) / rate), weights: [1] };
  });
}
