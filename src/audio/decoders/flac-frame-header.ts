import { type BitReader, damaged } from './bit-reader.ts';
import { crc8 } from './flac-crc.ts';

/** How the second channel of a stereo frame is derived. */
export type StereoMode = 'independent' | 'left-side' | 'side-right' | 'mid-side';

export interface FlacFrameHeader {
  readonly frames: number;
  /** Undefined when the frame leaves it to the stream header. */
  readonly rateHz: number | undefined;
  /** Undefined when the frame leaves it to the stream header. */
  readonly bits: number | undefined;
  readonly channels: number;
  readonly stereoMode: StereoMode;
}

const syncCode = 0x3ffe;
const rates = [
  undefined,
  88_200,
  176_400,
  192_000,
  8000,
  16_000,
  22_050,
  24_000,
  32_000,
  44_100,
  48_000,
  96_000,
];
const depths = [undefined, 8, 12, undefined, 16, 20, 24, 32];
const reservedDepth = 3;
const stereoModes: readonly StereoMode[] = ['left-side', 'side-right', 'mid-side'];
const longestCodedNumber = 7;

/**
 * Reads the header of one frame that begins at `start` of `bytes`, where `reader` stands.
 *
 * Failure: throws a `ProtocolError`. *Source:* RFC 9639, section 9.1.
 */
export function readFrameHeader(
  reader: BitReader,
  bytes: Uint8Array,
  start: number,
): FlacFrameHeader {
  if (reader.unsigned(14) !== syncCode) throw damaged('it does not start with a sync code');
  if (reader.unsigned(1) !== 0) throw damaged('a reserved bit is set');
  reader.unsigned(1); // fixed or variable block size: only the meaning of the number differs
  const sizeCode = reader.unsigned(4);
  const rateCode = reader.unsigned(4);
  const channelCode = reader.unsigned(4);
  const depthCode = reader.unsigned(3);
  if (reader.unsigned(1) !== 0) throw damaged('a reserved bit is set');
  skipCodedNumber(reader);
  const frames = readBlockFrames(reader, sizeCode);
  const rateHz = readRate(reader, rateCode);
  const sum = crc8(bytes.subarray(start, reader.byteOffset));
  if (reader.unsigned(8) !== sum) throw damaged('the checksum of its header is wrong');
  if (channelCode > 10) throw damaged('its channel code is reserved');
  if (depthCode === reservedDepth) throw damaged('its bit-depth code is reserved');
  return {
    frames,
    rateHz,
    bits: depths[depthCode],
    channels: channelCode < 8 ? channelCode + 1 : 2,
    stereoMode: stereoModes[channelCode - 8] ?? 'independent',
  };
}

/** Frame or sample number, coded like a character of UTF-8; chunks do not need it. */
function skipCodedNumber(reader: BitReader): void {
  const first = reader.unsigned(8);
  const ones = Math.clz32(~(first << 24));
  if (ones === 1 || ones > longestCodedNumber) throw damaged('its number is no coded number');
  for (let index = 1; index < ones; index += 1) {
    if (reader.unsigned(8) >> 6 !== 2) throw damaged('its number is no coded number');
  }
}

function readBlockFrames(reader: BitReader, code: number): number {
  if (code === 0) throw damaged('its block-size code is reserved');
  if (code === 1) return 192;
  if (code < 6) return 144 * 2 ** code;
  if (code === 6) return reader.unsigned(8) + 1;
  if (code === 7) return reader.unsigned(16) + 1;
  return 2 ** code;
}

function readRate(reader: BitReader, code: number): number | undefined {
  if (code < rates.length) return rates[code];
  if (code === 12) return reader.unsigned(8) * 1000;
  if (code === 13) return reader.unsigned(16);
  if (code === 14) return reader.unsigned(16) * 10;
  throw damaged('its rate code is forbidden');
}
