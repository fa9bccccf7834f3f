import { crc8, crc16 } from '../decoders/flac-crc.ts';

/** By how much a frame may grow when it gets another number. */
export const maxNumberGrowthBytes = 6;

const numberOffset = 4;
const footerBytes = 2;

/**
 * Gives a frame another number and returns its new length; a decoder takes a gap between numbers for
 * audio that was lost, and plays silence in its place.
 *
 * Shape: one whole frame of a stream with blocks of one size, and room for growth behind it.
 * Source: RFC 9639, section 9.1.
 */
export function renumberFlacFrame(frame: Uint8Array, length: number, number: number): number {
  const coded = codedNumber(number);
  const oldBytes = codedBytes(frame[numberOffset]!);
  const rest = numberOffset + oldBytes;
  const newRest = numberOffset + coded.length;
  const newLength = length + coded.length - oldBytes;
  frame.copyWithin(newRest, rest, length - footerBytes);
  frame.set(coded, numberOffset);
  const sumOffset = newRest + extraHeaderBytes(frame[2]!);
  frame[sumOffset] = crc8(frame.subarray(0, sumOffset));
  const sum = crc16(frame.subarray(0, newLength - footerBytes));
  frame[newLength - 2] = sum >> 8;
  frame[newLength - 1] = sum & 0xff;
  return newLength;
}

/** Of the size of the block and of the rate, when their codes do not tell them. */
function extraHeaderBytes(codes: number): number {
  const [size, rate] = [codes >> 4, codes & 15];
  const sizeBytes = size === 6 ? 1 : size === 7 ? 2 : 0;
  return sizeBytes + (rate === 12 ? 1 : rate === 13 || rate === 14 ? 2 : 0);
}

function codedBytes(first: number): number {
  return Math.max(1, Math.clz32(~(first << 24)));
}

/** As characters are coded in UTF-8, but up to 31 bits. */
function codedNumber(number: number): readonly number[] {
  if (number < 0x80) return [number];
  const tail: number[] = [];
  let left = number;
  // The first byte has room for one bit less with each that follows.
  for (let room = 0x40; left >= room; room = 0x40 >> tail.length) {
    tail.unshift(0x80 | (left % 64));
    left = Math.floor(left / 64);
  }
  const mark = (0xff00 >> (tail.length + 1)) & 0xff;
  return [mark | left, ...tail];
}
