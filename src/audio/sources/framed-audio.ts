/** kbit/s by bit rate index, from 1; by version (1, then 2 and 2.5) and layer. */
const version1Kbps = [
  [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
] as const;
const version2Kbps = [
  [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;
const version1RatesHz = [44_100, 48_000, 32_000] as const;
/** By the two bits of the version; 1 is reserved. */
const rateDivisors = [4, undefined, 2, 1] as const;
const confirmedFrames = 3;
const ac3Kbps = [
  32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
] as const;
const ac3RatesHz = [48_000, 44_100, 32_000] as const;
const adtsHeaderBytes = 7;
const mpegHeaderBytes = 4;
/** Sync, version, layer and sampling rate, which do not change within a file. */
const mpegConstantBits = 0xfffe_0c00;
/** The sync word: behind it stands a check sum. */
const ac3ConstantBits = 0xffff_0000;
/** The whole fixed header. */
const adtsConstantBits = 0xffff_fff0;

/**
 * Whether `head` is a row of frames of MPEG audio without a tag in front: MP1, MP2, MP3, or AAC in
 * ADTS. Their mark has 11 bits, which PCM may have by chance, so three frames have to follow each
 * other at their distances.
 *
 * Source: ISO/IEC 11172-3, 2.4.1.3 and 2.4.2.3; ISO/IEC 13818-7, 6.2.
 */
export function isMpegAudio(head: Buffer): boolean {
  return (
    isRow(head, { frameBytesAt: mpegFrameBytes, constantBits: mpegConstantBits }) ||
    isRow(head, { frameBytesAt: adtsFrameBytes, constantBits: adtsConstantBits })
  );
}

/**
 * The same for frames of AC-3 or E-AC-3, whose mark has 16 bits.
 *
 * Source: ETSI TS 102 366, 4.4.1 and E.1.3.1.
 */
export function isAc3(head: Buffer): boolean {
  return isRow(head, { frameBytesAt: ac3FrameBytes, constantBits: ac3ConstantBits });
}

interface FrameShape {
  /** Zero when no frame begins at `at`. */
  readonly frameBytesAt: (head: Buffer, at: number) => number;
  readonly constantBits: number;
}

function isRow(head: Buffer, { frameBytesAt, constantBits }: FrameShape): boolean {
  // The same samples again and again, a constant level.
  if (head.length >= 8 && head.readUInt32BE(0) === head.readUInt32BE(4)) return false;
  let at = 0;
  for (let frames = 0; frames < confirmedFrames; frames += 1) {
    // The frame before ends with the file, or with what was read of it.
    if (at + adtsHeaderBytes > head.length) return frames > 1;
    if (((head.readUInt32BE(at) ^ head.readUInt32BE(0)) & constantBits) !== 0) return false;
    const bytes = frameBytesAt(head, at);
    if (bytes === 0) return false;
    at += bytes;
  }
  return true;
}

function mpegFrameBytes(head: Buffer, at: number): number {
  const header = head.readUInt32BE(at);
  const rateDivisor = rateDivisors[(header >>> 19) & 3];
  const layer = 4 - ((header >>> 17) & 3);
  const version1RateHz = version1RatesHz[(header >>> 10) & 3];
  if (header >>> 21 !== 0x7ff || !rateDivisor || layer === 4 || !version1RateHz) return 0;
  const isVersion1 = rateDivisor === 1;
  const kbps = (isVersion1 ? version1Kbps : version2Kbps)[layer - 1]?.[((header >>> 12) & 15) - 1];
  if (kbps === undefined) return 0;
  const padding = (header >>> 9) & 1;
  const bytesIn = (samples: number) =>
    Math.floor(((samples / 8) * 1000 * kbps * rateDivisor) / version1RateHz);
  if (layer === 1) return mpegHeaderBytes * (bytesIn(96) + padding);
  return bytesIn(layer === 3 && !isVersion1 ? 576 : 1152) + padding;
}

function adtsFrameBytes(head: Buffer, at: number): number {
  const header = head.readUInt32BE(at);
  const isFrame = header >>> 20 === 0xfff && ((header >>> 17) & 3) === 0;
  const rateIndex = (header >>> 10) & 15;
  const bytes = ((header & 3) << 11) | (head.readUInt16BE(at + 4) >>> 5);
  return isFrame && rateIndex < 13 && bytes > adtsHeaderBytes ? bytes : 0;
}

function ac3FrameBytes(head: Buffer, at: number): number {
  if (head.readUInt16BE(at) !== 0x0b77) return 0;
  const version = head.readUInt8(at + 5) >>> 3;
  if (version > 10) return version > 16 ? 0 : 2 * ((head.readUInt16BE(at + 2) & 0x7ff) + 1);
  const code = head.readUInt8(at + 4);
  const rateHz = ac3RatesHz[code >>> 6];
  const kbps = ac3Kbps[(code & 63) >>> 1];
  if (!rateHz || !kbps) return 0;
  const padding = rateHz === 44_100 ? code & 1 : 0;
  return 2 * (Math.floor((96_000 * kbps) / rateHz) + padding);
}
