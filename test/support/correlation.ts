import type { SampleFormat } from '../../src/audio/sample-format.ts';
import type { Comparison } from './pcm-compare.ts';

/** The coarse search looks at the sum of so many frames at once, which suits audio below 3 kHz. */
const decimation = 8;
/** Length of the piece of the feed that is looked for. */
const probeFrames = 8192;
/** Neighbouring waves of a tone look alike: the coarse search may be wrong by some of them. */
const fineSearchFrames = 1024;

export interface Correlation {
  /** Recorded frame at which the first fed frame lies. */
  readonly lagFrames: number;
  /** Normalised correlation of all that was fed with what was recorded there, -1..1. */
  readonly coefficient: number;
  /** By how much what was recorded there is louder than what was fed. */
  readonly levelDb: number;
}

/**
 * Finds where in the recording the feed lies and how alike they are there; for lossy codecs.
 *
 * What is missing in the recording counts as silence, so a gap lowers the coefficient.
 */
export function correlate({ fed, recorded, format }: Comparison): Correlation {
  const fedMono = monoOf(fed, format);
  const recordedMono = monoOf(recorded, format);
  const probeStart = Math.floor((fedMono.length - probeFrames) / 2);
  const probe = fedMono.subarray(probeStart, probeStart + probeFrames);

  const coarse = bestOffset({
    needle: decimated(probe),
    haystack: decimated(recordedMono),
    from: 0,
    to: Math.floor((recordedMono.length - probe.length) / decimation),
  });
  const fine = bestOffset({
    needle: probe,
    haystack: recordedMono,
    from: coarse * decimation - fineSearchFrames,
    to: coarse * decimation + fineSearchFrames,
  });
  const lagFrames = fine - probeStart;
  return { lagFrames, ...likenessAt(fed, recorded, format, lagFrames) };
}

interface Search {
  readonly needle: Float64Array;
  readonly haystack: Float64Array;
  readonly from: number;
  readonly to: number;
}

function bestOffset({ needle, haystack, from, to }: Search): number {
  let best = { offset: 0, score: Number.NEGATIVE_INFINITY };
  for (let offset = Math.max(0, from); offset <= to; offset += 1) {
    let product = 0;
    let energy = 0;
    for (let index = 0; index < needle.length; index += 1) {
      const value = haystack[offset + index] ?? 0;
      product += needle[index]! * value;
      energy += value * value;
    }
    const score = energy === 0 ? 0 : product / Math.sqrt(energy);
    if (score > best.score) best = { offset, score };
  }
  return best.offset;
}

function likenessAt(
  fed: Buffer,
  recorded: Buffer,
  { sampleBytes, frameBytes }: SampleFormat,
  lagFrames: number,
): Pick<Correlation, 'coefficient' | 'levelDb'> {
  let product = 0;
  let fedEnergy = 0;
  let recordedEnergy = 0;
  for (let offset = 0; offset + sampleBytes <= fed.length; offset += sampleBytes) {
    const place = offset + lagFrames * frameBytes;
    const isRecorded = place >= 0 && place + sampleBytes <= recorded.length;
    const a = fed.readIntLE(offset, sampleBytes);
    const b = isRecorded ? recorded.readIntLE(place, sampleBytes) : 0;
    product += a * b;
    fedEnergy += a * a;
    recordedEnergy += b * b;
  }
  const norm = Math.sqrt(fedEnergy * recordedEnergy);
  return {
    coefficient: norm === 0 ? 0 : product / norm,
    levelDb: 10 * Math.log10(recordedEnergy / fedEnergy),
  };
}

function monoOf(pcm: Buffer, { channels, sampleBytes, frameBytes }: SampleFormat): Float64Array {
  return Float64Array.from({ length: Math.floor(pcm.length / frameBytes) }, (_, frame) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) {
      sum += pcm.readIntLE(frame * frameBytes + channel * sampleBytes, sampleBytes);
    }
    return sum;
  });
}

function decimated(signal: Float64Array): Float64Array {
  return Float64Array.from({ length: Math.floor(signal.length / decimation) }, (_, index) => {
    const piece = signal.subarray(index * decimation, (index + 1) * decimation);
    return piece.reduce((sum, value) => sum + value, 0);
  });
}
