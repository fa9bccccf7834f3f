import type { DspKernels } from '../base/native/dsp-kernels.ts';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import { fftPlanNumbers } from './fft-plan.ts';
import { kWeightingChannelNumbers, kWeightingHeader } from './k-weighting.ts';
import { limiterField } from './limiter.ts';
import { type MelPlan, melField, melRows } from './mel-plan.ts';
import { truePeakTaps } from './true-peak.ts';

/** How integer samples lie in bytes; a `SampleFormat` is one. */
export interface PcmLayout {
  readonly bits: 8 | 16 | 24 | 32;
  /** 24 bits in three bytes instead of four. */
  readonly isPacked?: boolean;
}

/**
 * Signal processing on memory of the caller.
 *
 * Shape: samples are interleaved float32 with a full scale of ±1; PCM is signed and little-endian,
 * and begins at a multiple of the bytes of a sample.
 * Ownership: nothing is kept; states and plans are the caller's too, and serve one call at a time.
 * Failure: throws a `RangeError` that names the length, the alignment or the number that is wrong.
 */
export class Dsp {
  readonly #kernels: DspKernels;

  constructor(kernels: DspKernels) {
    this.#kernels = kernels;
  }

  toFloat(pcm: Uint8Array, layout: PcmLayout, out: Float32Array): void {
    const sampleBytes = sampleBytesOf(layout);
    requirePcm('toFloat', pcm, sampleBytes, out.length);
    this.#kernels.toFloat(pcm, layout.bits, sampleBytes, out);
  }

  /**
   * Rounds, halves to the even number, and clips; what is no number becomes silence.
   *
   * @param dither the state of the noise that is added, triangular and of one step: one number,
   * which goes on by itself. Absent: none.
   */
  fromFloat(samples: Float32Array, out: Uint8Array, layout: PcmLayout, dither?: Uint32Array): void {
    const sampleBytes = sampleBytesOf(layout);
    requirePcm('fromFloat', out, sampleBytes, samples.length);
    if (dither) requireEqual('fromFloat', 'dither', dither.length, 1);
    this.#kernels.fromFloat(samples, out, layout.bits, sampleBytes, dither);
  }

  /** Adds `source` to `target`; sums beyond full scale are clipped. */
  saturatingAdd(target: Uint8Array, source: Uint8Array, layout: PcmLayout): void {
    const sampleBytes = sampleBytesOf(layout);
    const samples = target.length / sampleBytes;
    requirePcm('saturatingAdd', target, sampleBytes, Math.floor(samples));
    requirePcm('saturatingAdd', source, sampleBytes, Math.floor(samples));
    this.#kernels.saturatingAdd(target, source, layout.bits, sampleBytes);
  }

  /**
   * Multiplies frame `i` of `n` by `from × (to / from)^(i / n)`: the next call goes on from `to`. A
   * ramp from or to 0 begins or ends at −100 dB. With the gain 1 nothing is touched.
   */
  gainRamp(samples: Float32Array, channels: number, from: number, to: number): void {
    requireFrames('gainRamp', samples, channels);
    requireGain('gainRamp', from);
    requireGain('gainRamp', to);
    if (samples.length === 0 || (from === 1 && to === 1)) return;
    this.#kernels.gainRamp(samples, channels, from, to);
  }

  /** Adds `source` times `gain` to `target`. */
  mix(target: Float32Array, source: Float32Array, gain: number): void {
    requireEqual('mix', 'source', source.length, target.length);
    requireGain('mix', gain);
    this.#kernels.mix(target, source, gain);
  }

  /**
   * Fills channel `i` of `out` with channel `picks[i]` of `samples`; −1 is the mean of all.
   *
   * Shape: `out` has as many channels as there are picks.
   */
  pickChannels(
    samples: Float32Array,
    channels: number,
    picks: Int32Array,
    out: Float32Array,
  ): void {
    const frames = requireFrames('pickChannels', samples, channels);
    requireEqual('pickChannels', 'out', out.length, frames * picks.length);
    for (let index = 0; index < picks.length; index += 1) {
      const pick = picks[index]!;
      if (pick < -1 || pick >= channels) {
        throw new RangeError(`pickChannels: there is no channel ${pick} among ${channels}`);
      }
    }
    this.#kernels.pickChannels(samples, channels, picks, out);
  }

  /** The largest absolute sample per channel. */
  peak(samples: Float32Array, channels: number, out: Float64Array): void {
    requireFrames('peak', samples, channels);
    requireOut('peak', out, channels);
    this.#kernels.peak(samples, channels, out);
  }

  /** The sum of the squares per channel. */
  energy(samples: Float32Array, channels: number, out: Float64Array): void {
    requireFrames('energy', samples, channels);
    requireOut('energy', out, channels);
    this.#kernels.squares(samples, channels, out);
  }

  /** The root of the mean square per channel; 0 of no samples. */
  rms(samples: Float32Array, channels: number, out: Float64Array): void {
    const frames = requireFrames('rms', samples, channels);
    requireOut('rms', out, channels);
    this.#kernels.squares(samples, channels, out);
    for (let channel = 0; channel < channels; channel += 1) {
      out[channel] = Math.sqrt(out[channel]! / Math.max(1, frames));
    }
  }

  /**
   * The largest absolute value between the samples per channel, by four-fold interpolation.
   *
   * @param state see `newTruePeakState`. Source: ITU-R BS.1770-4, annex 2.
   */
  truePeak(state: Float32Array, samples: Float32Array, out: Float64Array): void {
    const channels = state.length / (truePeakTaps - 1);
    requireFrames('truePeak', samples, channels);
    requireOut('truePeak', out, channels);
    this.#kernels.truePeak(state, samples, channels, out);
  }

  /**
   * The sum of the squares per channel after the K-weighting.
   *
   * @param state see `newKWeighting`, which knows the sample rate.
   */
  kWeightedEnergy(state: Float64Array, samples: Float32Array, out: Float64Array): void {
    const channels = (state.length - kWeightingHeader) / kWeightingChannelNumbers;
    requireFrames('kWeightedEnergy', samples, channels);
    requireOut('kWeightedEnergy', out, channels);
    this.#kernels.filteredSquares(state, samples, channels, out);
  }

  /**
   * Keeps samples within −1 dBFS, in place, `limiterDelayFrames` late; at first comes silence.
   *
   * @param state see `newLimiter`.
   */
  limit(state: Float64Array, samples: Float32Array): void {
    const channels = state[limiterField.channels] ?? 0;
    requireFrames('limit', samples, channels);
    this.#kernels.limit(state, samples, channels);
  }

  /**
   * The spectrum of real samples: pairs of real and imaginary part from 0 Hz to half the rate.
   *
   * @param plan see `newFftPlan`; `samples` has as many samples as it was made for, `out` two more.
   */
  realFft(plan: Float32Array, samples: Float32Array, out: Float32Array): void {
    const size = plan[0] ?? 0;
    requireEqual('realFft', 'plan', plan.length, fftPlanNumbers(size));
    requireEqual('realFft', 'samples', samples.length, size);
    requireEqual('realFft', 'out', out.length, size + 2);
    this.#kernels.realFft(plan, samples, out);
  }

  /**
   * Writes the mel spectrum of mono samples, row by row, and nothing in between, into `output`.
   *
   * Shape: `melRows` rows of `bands` numbers; bytes begin at a multiple of four.
   * @returns the number of rows.
   */
  melSpectrum(samples: Float32Array, plan: MelPlan, output: Float32Array | Uint8Array): number {
    const { shape, tables } = plan;
    const rows = melRows(plan, samples.length);
    const bands = shape[melField.bands]!;
    const out = output instanceof Float32Array ? output : floatsIn('melSpectrum', output);
    if (out.length !== rows * bands) {
      throw new RangeError(
        `melSpectrum: output has ${out.length} numbers: ${samples.length} samples make ${rows} ` +
          `rows of ${bands} bands, ${rows * bands} numbers`,
      );
    }
    this.#kernels.melRows(tables, shape, samples, rows, out);
    return rows;
  }
}

/** Takes the addon where there is one, else the twin in TypeScript, which is loaded only then. */
export async function openDsp(native: NativeAddonResult): Promise<Dsp> {
  const kernels = 'addon' in native ? native.addon.dsp : undefined;
  return new Dsp(kernels ?? (await import('./script-kernels.ts')).scriptKernels);
}

const maxChannels = 64;

function sampleBytesOf({ bits, isPacked = false }: PcmLayout): number {
  if (bits === 24) return isPacked ? 3 : 4;
  return bits / 8;
}

function requirePcm(what: string, pcm: Uint8Array, sampleBytes: number, samples: number): void {
  if (pcm.length !== samples * sampleBytes) {
    throw new RangeError(
      `${what}: PCM has ${pcm.length} bytes: ${samples} samples of ${sampleBytes} bytes need ` +
        `${samples * sampleBytes}`,
    );
  }
  requireAligned(what, pcm, sampleBytes === 3 ? 1 : sampleBytes);
}

function requireAligned(what: string, { byteOffset }: Uint8Array, bytes: number): void {
  if (byteOffset % bytes === 0) return;
  throw new RangeError(
    `${what}: memory begins at byte ${byteOffset} of its buffer, which is no multiple of ${bytes}`,
  );
}

function floatsIn(what: string, memory: Uint8Array): Float32Array {
  requireAligned(what, memory, 4);
  if (memory.length % 4 !== 0) {
    throw new RangeError(`${what}: ${memory.length} bytes are no whole number of float32`);
  }
  return new Float32Array(memory.buffer, memory.byteOffset, memory.length / 4);
}

/** Returns the number of frames. */
function requireFrames(what: string, samples: Float32Array, channels: number): number {
  if (!(Number.isInteger(channels) && channels >= 1 && channels <= maxChannels)) {
    throw new RangeError(`${what}: ${channels} channels: it must be 1 to ${maxChannels}`);
  }
  const frames = samples.length / channels;
  if (!Number.isInteger(frames)) {
    throw new RangeError(
      `${what}: ${samples.length} samples are no whole number of frames of ${channels} channels`,
    );
  }
  return frames;
}

function requireOut(what: string, out: Float64Array, channels: number): void {
  requireEqual(what, 'out', out.length, channels);
}

function requireEqual(what: string, name: string, length: number, wanted: number): void {
  if (length === wanted) return;
  throw new RangeError(`${what}: ${name} has the length ${length} instead of ${wanted}`);
}

function requireGain(what: string, gain: number): void {
  if (gain >= 0 && gain < Number.POSITIVE_INFINITY) return;
  throw new RangeError(`${what}: the gain is ${gain}: it must be 0 or more`);
}
