import type { SampleFormat } from './sample-format.ts';

/** Samples as numbers, one element per sample of one channel. */
export type Samples = Int8Array | Int16Array | Int32Array;

/**
 * Looks at PCM as numbers, without a copy where the memory is aligned; every platform that Node
 * runs on in practice is little endian, as PCM is.
 *
 * Ownership: the result may share memory with `pcm`.
 */
export function samplesOf(pcm: Uint8Array, format: SampleFormat): Samples {
  const { sampleBytes } = format;
  const aligned = pcm.byteOffset % sampleBytes === 0 ? pcm : new Uint8Array(pcm);
  const count = Math.floor(aligned.length / sampleBytes);
  if (sampleBytes === 1) return new Int8Array(aligned.buffer, aligned.byteOffset, count);
  if (sampleBytes === 2) return new Int16Array(aligned.buffer, aligned.byteOffset, count);
  return new Int32Array(aligned.buffer, aligned.byteOffset, count);
}

/** Makes room for `count` samples in the layout of `format`. */
export function newSamples(count: number, format: SampleFormat): Samples {
  if (format.sampleBytes === 1) return new Int8Array(count);
  return format.sampleBytes === 2 ? new Int16Array(count) : new Int32Array(count);
}

/** The bytes behind a view. *Ownership:* shares its memory. */
export function bytesOf(view: Samples | Uint8Array): Buffer<ArrayBufferLike> {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

/** Writes samples of `bits` bits as floats of -1 to 1. */
export function writeFloats(samples: Samples, bits: number, target: Float32Array): void {
  const scale = 2 ** (1 - bits);
  for (let index = 0; index < samples.length; index += 1) {
    target[index] = samples[index]! * scale;
  }
}

/** Rounds a float of -1 to 1 to 16 bits and clips what does not fit. */
export function toInt16(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value * 32_768)));
}
