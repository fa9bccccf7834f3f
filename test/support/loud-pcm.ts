/** So many milliseconds of 48000:16:2 in which no sample is silent. */
export function loudPcm(durationMs: number): Buffer {
  return Buffer.alloc(durationMs * 192, Buffer.from([0x01, 0x10, 0xff, 0xe0]));
}
