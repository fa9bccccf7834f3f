import type { SampleFormat } from './sample-format.ts';

/** Bytes of a packed 24-bit sample, as WAV files and `packed_s24le=true` deliver it. */
const packedSampleBytes = 3;
const containerBytes = 4;

/** Bytes of one frame before packed samples are widened into their containers. */
export function arrivingFrameBytes(format: SampleFormat, packed24: boolean): number {
  return packed24 ? packedSampleBytes * format.channels : format.frameBytes;
}

/** The end of `target` into which `samples` packed samples are to be read. */
export function packedTail(target: Buffer, samples: number): Buffer {
  return target.subarray(samples, samples * containerBytes);
}

/**
 * Widens packed samples at the end of `target` to their 4-byte containers, in place: sign-extended
 * where the format has 24 bits, as the upper three bytes where it has 32.
 */
export function expandPacked24(target: Buffer, samples: number, bits: number): void {
  const offset = bits === 32 ? 1 : 0;
  // Reading position samples + 3i never falls behind the writing position 4i, with or without offset.
  for (let index = 0; index < samples; index += 1) {
    const from = samples + index * packedSampleBytes;
    const to = index * containerBytes + offset;
    target[to] = target[from]!;
    target[to + 1] = target[from + 1]!;
    target[to + 2] = target[from + 2]!;
    if (offset > 0) target[to - 1] = 0;
  }
  if (offset === 0) signExtend24(target, samples);
}

/**
 * Makes the fourth byte of each of `samples` containers the sign of the other three, in place:
 * producers may leave anything there (ALSA's S24_LE ignores it), clients take it as it is.
 */
export function signExtend24(target: Buffer, samples: number): void {
  const endBytes = samples * containerBytes;
  for (let at = 0; at < endBytes; at += containerBytes) {
    target[at + 3] = -(target[at + 2]! >> 7);
  }
}
