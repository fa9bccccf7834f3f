/**
 * Byte layout of the binary protocol, all integers little endian.
 *
 * Source: protocol reference, sections 2 and 3.
 */

/** Every message starts with this many bytes of base header. */
export const baseHeaderBytes = 26;

/** Offsets inside the base header. */
export const baseOffset = {
  type: 0,
  id: 2,
  refersTo: 4,
  sentSec: 6,
  sentUsec: 10,
  receivedSec: 14,
  receivedUsec: 18,
  size: 22,
} as const;

/** Timestamp and payload length in front of the payload of a `WireChunk`. */
export const wireChunkHeaderBytes = 12;

/** Offsets inside the body of a `WireChunk`. */
export const wireChunkOffset = { sec: 0, usec: 4, payloadBytes: 8 } as const;

export const messageType = {
  base: 0,
  codecHeader: 1,
  wireChunk: 2,
  serverSettings: 3,
  time: 4,
  hello: 5,
  streamTags: 6,
  clientInfo: 7,
  error: 8,
} as const;

/**
 * Writes a time in microseconds as seconds and 0..999999 microseconds, also below zero.
 *
 * Seconds beyond 32 bits wrap around, as the difference to a peer's arbitrary clock may be any.
 */
export function writeTimeUs(target: Buffer, offset: number, timeUs: number): void {
  const wholeUs = Math.round(timeUs);
  const sec = Math.floor(wholeUs / 1_000_000);
  target.writeInt32LE(sec | 0, offset);
  target.writeInt32LE(wholeUs - sec * 1_000_000, offset + 4);
}

/** Reads what `writeTimeUs` writes. */
export function readTimeUs(source: Buffer, offset: number): number {
  return source.readInt32LE(offset) * 1_000_000 + source.readInt32LE(offset + 4);
}
