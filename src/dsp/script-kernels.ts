import type { DspKernels } from '../base/native/dsp-kernels.ts';
import { kWeightingChannelNumbers, kWeightingHeader } from './k-weighting.ts';
import { limiterField } from './limiter.ts';
import { scriptFft, scriptMelRows } from './script-spectra.ts';
import { truePeakPairs, truePeakTaps } from './true-peak.ts';

/** Adding and subtracting it rounds a double to a whole number, halves to the even one. */
const roundingMagic = 1.5 * 2 ** 52;
/** A ramp in decibels from or to silence begins or ends here: −100 dB. */
const silentGain = 1e-5;
/** The gain of a limiter is 1 again when less is missing than can be heard. */
const almostOne = 1 - 1e-4;
/** Values of filters below it become 0, as what is no number does: processors are slow near the smallest. */
const tiny = 1e-30;

/** The twin of native/core/dsp in TypeScript: the same steps in the same order. */
export const scriptKernels: DspKernels = {
  processor: 'script',

  toFloat(pcm, bits, sampleBytes, out) {
    const scale = 2 ** (1 - bits);
    const count = out.length;
    if (sampleBytes === 3) {
      for (let index = 0; index < count; index += 1) out[index] = packedAt(pcm, index * 3) * scale;
      return;
    }
    const samples = integersIn(pcm, sampleBytes);
    for (let index = 0; index < count; index += 1) out[index] = samples[index]! * scale;
  },

  fromFloat(samples, out, bits, sampleBytes, dither) {
    const scale = 2 ** (bits - 1);
    const count = samples.length;
    const integers = sampleBytes === 3 ? undefined : integersIn(out, sampleBytes);
    let serial = dither ? dither[0]! : 0;
    for (let index = 0; index < count; index += 1) {
      let value = samples[index]! * scale;
      if (dither) {
        value += triangularNoise(serial);
        serial = (serial + 1) | 0;
      }
      // What is no number becomes silence.
      value = value > scale - 1 ? scale - 1 : value >= -scale ? value : value < -scale ? -scale : 0;
      const rounded = value + roundingMagic - roundingMagic;
      if (integers) integers[index] = rounded;
      else putPacked(out, index * 3, rounded);
    }
    if (dither) dither[0] = serial;
  },

  saturatingAdd(target, source, bits, sampleBytes) {
    const highest = 2 ** (bits - 1) - 1;
    const lowest = -highest - 1;
    if (sampleBytes === 3) {
      for (let at = 0; at < target.length; at += 3) {
        const sum = packedAt(target, at) + packedAt(source, at);
        putPacked(target, at, sum > highest ? highest : sum < lowest ? lowest : sum);
      }
      return;
    }
    const sums = integersIn(target, sampleBytes);
    const added = integersIn(source, sampleBytes);
    for (let index = 0; index < sums.length; index += 1) {
      const sum = sums[index]! + added[index]!;
      sums[index] = sum > highest ? highest : sum < lowest ? lowest : sum;
    }
  },

  gainRamp(samples, channels, from, to) {
    const count = samples.length;
    if (from === to) {
      for (let index = 0; index < count; index += 1) samples[index]! *= from;
      return;
    }
    let gain = Math.max(from, silentGain);
    const ratio = (Math.max(to, silentGain) / gain) ** (channels / count);
    for (let start = 0; start < count; start += channels) {
      for (let index = start; index < start + channels; index += 1) samples[index]! *= gain;
      gain *= ratio;
    }
  },

  mix(target, source, gain) {
    const count = source.length;
    for (let index = 0; index < count; index += 1) target[index]! += source[index]! * gain;
  },

  pickChannels(samples, channels, picks, out) {
    const frames = samples.length / channels;
    const width = picks.length;
    for (let output = 0; output < width; output += 1) {
      const pick = picks[output]!;
      for (let frame = 0; frame < frames; frame += 1) {
        const start = frame * channels;
        out[frame * width + output] =
          pick < 0 ? meanOf(samples, start, channels) : samples[start + pick]!;
      }
    }
  },

  peak(samples, channels, out) {
    const count = samples.length;
    for (let channel = 0; channel < channels; channel += 1) {
      let peak = 0;
      for (let index = channel; index < count; index += channels) {
        const level = Math.abs(samples[index]!);
        if (level > peak) peak = level;
      }
      out[channel] = peak;
    }
  },

  squares(samples, channels, out) {
    const count = samples.length;
    for (let channel = 0; channel < channels; channel += 1) {
      let sum = 0;
      for (let index = channel; index < count; index += channels) {
        const sample = samples[index]!;
        sum += sample * sample;
      }
      out[channel] = sum;
    }
  },

  truePeak(state, samples, channels, out) {
    const past = state.length;
    const count = samples.length;
    out.fill(0);
    for (let channel = 0; channel < channels; channel += 1) {
      let peak = 0;
      for (let index = channel; index < count; index += channels) {
        let even = 0;
        let odd = 0;
        let otherEven = 0;
        let otherOdd = 0;
        let far = index - (truePeakTaps - 1) * channels;
        for (let pair = 0, near = index; near > far; pair += 4, near -= channels, far += channels) {
          const one = near >= 0 ? samples[near]! : state[past + near]!;
          const other = far >= 0 ? samples[far]! : state[past + far]!;
          even += truePeakPairs[pair]! * (one + other);
          odd += truePeakPairs[pair + 1]! * (one - other);
          otherEven += truePeakPairs[pair + 2]! * (one + other);
          otherOdd += truePeakPairs[pair + 3]! * (one - other);
        }
        const level = Math.max(
          Math.abs(even) + Math.abs(odd),
          Math.abs(otherEven) + Math.abs(otherOdd),
        );
        if (level > peak) peak = level;
      }
      out[channel] = peak;
    }
    const kept = Math.max(0, past - count);
    state.copyWithin(0, past - kept);
    for (let index = kept; index < past; index += 1) state[index] = samples[count - past + index]!;
  },

  filteredSquares(state, samples, channels, out) {
    const b0 = state[0]!;
    const b1 = state[1]!;
    const b2 = state[2]!;
    const a1 = state[3]!;
    const a2 = state[4]!;
    const d0 = state[5]!;
    const d1 = state[6]!;
    const d2 = state[7]!;
    const c1 = state[8]!;
    const c2 = state[9]!;
    const count = samples.length;
    for (let channel = 0; channel < channels; channel += 1) {
      const at = kWeightingHeader + channel * kWeightingChannelNumbers;
      let s1 = state[at]!;
      let s2 = state[at + 1]!;
      let t1 = state[at + 2]!;
      let t2 = state[at + 3]!;
      let sum = 0;
      for (let index = channel; index < count; index += channels) {
        const sample = samples[index]!;
        const shelved = b0 * sample + s1;
        s1 = b1 * sample + s2 - a1 * shelved;
        s2 = b2 * sample - a2 * shelved;
        const weighted = d0 * shelved + t1;
        t1 = d1 * shelved + t2 - c1 * weighted;
        t2 = d2 * shelved - c2 * weighted;
        sum += weighted * weighted;
      }
      state[at] = settled(s1);
      state[at + 1] = settled(s2);
      state[at + 2] = settled(t1);
      state[at + 3] = settled(t2);
      out[channel] = sum;
    }
  },

  limit(state, samples, channels) {
    const frames = state[limiterField.frames]!;
    const ceiling = state[limiterField.ceiling]!;
    const release = state[limiterField.release]!;
    const delayed = limiterField.rings;
    const gains = delayed + frames * channels;
    const queue = gains + frames;
    const places = frames + 1;
    let position = state[limiterField.position]!;
    let gain = state[limiterField.gain]!;
    let sum = state[limiterField.sum]!;
    let now = state[limiterField.frame]!;
    let start = state[limiterField.queueStart]!;
    let length = state[limiterField.queueLength]!;
    for (let at = 0; at < samples.length; at += channels) {
      let peak = 0;
      for (let index = at; index < at + channels; index += 1) {
        const level = Math.abs(samples[index]!);
        if (level > peak) peak = level;
      }
      const wanted = peak > ceiling ? ceiling / peak : 1;

      // The smallest wanted gain of this frame and those of the look-ahead is the first of the queue.
      if (length > 0 && state[queue + places + start]! < now - frames) {
        start = start + 1 === places ? 0 : start + 1;
        length -= 1;
      }
      while (length > 0 && state[queue + ((start + length - 1) % places)]! >= wanted) length -= 1;
      const end = (start + length) % places;
      state[queue + end] = wanted;
      state[queue + places + end] = now;
      length += 1;
      now += 1;

      const smallest = state[queue + start]!;
      gain = smallest < gain ? smallest : gain + (smallest - gain) * release;
      if (gain > almostOne && smallest === 1) gain = 1;
      // The mean over the look-ahead falls smoothly, and is there when the peak comes out.
      sum += gain - state[gains + position]!;
      state[gains + position] = gain;
      if (position === frames - 1) {
        sum = 0;
        for (let index = gains; index < queue; index += 1) sum += state[index]!;
      }
      const mean = sum / frames;
      for (let channel = 0; channel < channels; channel += 1) {
        const ring = delayed + position * channels + channel;
        const limited = state[ring]! * mean;
        state[ring] = samples[at + channel]!;
        samples[at + channel] =
          limited > ceiling ? ceiling : limited < -ceiling ? -ceiling : limited;
      }
      position = position + 1 === frames ? 0 : position + 1;
    }
    state[limiterField.position] = position;
    state[limiterField.gain] = gain;
    state[limiterField.sum] = sum;
    state[limiterField.frame] = now;
    state[limiterField.queueStart] = start;
    state[limiterField.queueLength] = length;
  },

  realFft: scriptFft,
  melRows: scriptMelRows,
};

/** A view is all that is made per call. */
function integersIn(pcm: Uint8Array, sampleBytes: number): Int8Array | Int16Array | Int32Array {
  const { buffer, byteOffset, length } = pcm;
  if (sampleBytes === 1) return new Int8Array(buffer, byteOffset, length);
  if (sampleBytes === 2) return new Int16Array(buffer, byteOffset, length / 2);
  return new Int32Array(buffer, byteOffset, length / 4);
}

function packedAt(pcm: Uint8Array, at: number): number {
  return ((pcm[at]! << 8) | (pcm[at + 1]! << 16) | (pcm[at + 2]! << 24)) >> 8;
}

function putPacked(pcm: Uint8Array, at: number, value: number): void {
  pcm[at] = value;
  pcm[at + 1] = value >> 8;
  pcm[at + 2] = value >> 16;
}

/**
 * Noise of −1 to 1 with a triangular distribution, always the same for a number.
 *
 * Source: C. Wellons, "Prospecting for Hash Functions" (lowbias32).
 */
function triangularNoise(serial: number): number {
  let hash = serial ^ (serial >>> 16);
  hash = Math.imul(hash, 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  hash ^= hash >>> 16;
  return ((hash >>> 16) - (hash & 0xffff)) / 65_536;
}

function meanOf(samples: Float32Array, start: number, channels: number): number {
  let sum = 0;
  for (let index = start; index < start + channels; index += 1) sum += samples[index]!;
  return sum / channels;
}

function settled(value: number): number {
  const size = Math.abs(value);
  return size > tiny && size < Infinity ? value : 0;
}
