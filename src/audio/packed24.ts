/** Bytes of a packed 24-bit sample, as WAV files and `packed_s24le=true` deliver it. */
export const packedSampleBytes = 3;

/** The end of `target` into which `samples` packed samples are to be read. */
export function packedTail(target: Buffer, samples: number): Buffer {
  return target.subarray(samples, samples * 4);
}

/** Widens packed samples at the end of `target` to sign-extended 4-byte containers, in place. */
export function expandPacked24(target: Buffer, samples: number): void {
  // Reading position samples + 3i never falls behind the writing position 4i.
  for (let index = 0; index < samples; index += 1) {
    target.writeInt32LE(target.readIntLE(samples + 3 * index, 3), 4 * index);
  }
}
