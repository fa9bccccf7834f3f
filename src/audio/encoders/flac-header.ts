import type { SampleFormat } from '../sample-format.ts';

const headerBytes = 42;

/**
 * The smallest header of a FLAC stream: `fLaC` and STREAMINFO, flagged as the last block, without
 * frame sizes, total samples and MD5, which a live stream cannot know.
 *
 * Source: RFC 9639, section 8.2; protocol reference, 4.2.
 */
export function flacHeader(format: SampleFormat, blockFrames: number): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  header.write('fLaC', 0, 'latin1');
  header.writeUInt32BE(0x80000000 + 34, 4);
  header.writeUInt16BE(blockFrames, 8);
  header.writeUInt16BE(blockFrames, 10);
  const { rateHz, bits, channels } = format;
  // 20 bits of rate, 3 of channels - 1, 5 of bits - 1, then 36 of total samples.
  header.writeUInt32BE(rateHz * 2 ** 12 + (channels - 1) * 2 ** 9 + (bits - 1) * 2 ** 4, 18);
  return header;
}

/**
 * True when a frame header can spell the rate, so that a client that threw the stream header away
 * can still play: named rates, whole kHz up to 255, whole Hz up to 65535, tens of Hz beyond.
 *
 * Source: RFC 9639, section 9.1.2.
 */
export function isRateSelfDescribing(rateHz: number): boolean {
  return rateHz <= 65_535 || (rateHz % 10 === 0 && rateHz <= 655_350);
}
