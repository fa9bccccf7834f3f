import { fstatSync, readSync } from 'node:fs';
import { SourceError, ZerocastError } from '../../base/errors.ts';
import { SampleFormat } from '../sample-format.ts';

/** Where the audio of a WAV file lies and what it is. */
export interface WavLayout {
  readonly format: SampleFormat;
  /** Its samples are IEEE 754 floats of full scale 1, of as many bits as `format` says. */
  readonly isFloat: boolean;
  /** The first byte of each sample is its highest. */
  readonly bigEndian: boolean;
  readonly dataStart: number;
  /** Infinity when the header leaves it open, as programs that write to a pipe do. */
  readonly dataEnd: number;
}

const riffHeaderBytes = 12;
const chunkHeaderBytes = 8;
const plainFormatBytes = 16;
const extensibleFormatBytes = 40;
const subFormatOffset = 24;
const ds64Bytes = 28;
const ds64EntryBytes = 12;
const longestDs64Bytes = ds64Bytes + 100 * ds64EntryBytes;
const maxChunks = 1000;
const pcmTag = 1;
const floatTag = 3;
const floatBits = 32;
const extensibleTag = 0xfffe;
/** The size is not known, or stands in the chunk `ds64`. */
const unsaid = 0xffff_ffff;
const unsaid64 = 0xffff_ffff_ffff_ffffn;
const magics: ReadonlyMap<string, { readonly bigEndian: boolean; readonly is64: boolean }> =
  new Map([
    ['RIFF', { bigEndian: false, is64: false }],
    ['RIFX', { bigEndian: true, is64: false }],
    ['RF64', { bigEndian: false, is64: true }],
    ['BW64', { bigEndian: false, is64: true }],
  ]);
/** The code of the error that another program can help with. */
export const otherEncoding = 'wav-encoding';
const otherEncodings: Readonly<Record<number, string>> = {
  2: 'ADPCM',
  3: 'floating point',
  6: 'A-law',
  7: 'µ-law',
  17: 'IMA ADPCM',
  49: 'GSM 6.10',
  80: 'MPEG',
  85: 'MP3',
  146: 'AC-3',
  255: 'AAC',
  353: 'WMA',
  8192: 'AC-3',
  8193: 'DTS',
  26447: 'Vorbis',
  61868: 'FLAC',
};

/** How numbers are read, and sizes that do not fit into 32 bits. */
interface Dialect {
  readonly bigEndian: boolean;
  readonly u16: (bytes: Buffer, at: number) => number;
  readonly u32: (bytes: Buffer, at: number) => number;
  /** Of the chunks of RF64 and BW64 whose own field says `unsaid`. */
  readonly longSizes: Map<string, number>;
}

/** A file, by its descriptor, or its bytes. */
type WavBytes = number | Uint8Array;

/**
 * Walks the chunks of a WAV file (RIFF, RIFX, RF64 or BW64) up to its audio; `undefined` when the
 * file is none. Floating point is refused unless the caller says that it can have it.
 *
 * Failure: throws a `SourceError` when it is one that cannot be played.
 * Source: "Multiple Channel Audio Data and WAVE Files", Microsoft, 2001; EBU Tech 3306;
 * ITU-R BS.2088.
 */
export function readWavHeader(
  fd: WavBytes,
  { allowsFloat = false }: { readonly allowsFloat?: boolean } = {},
): WavLayout | undefined {
  const riff = readAt(fd, 0, riffHeaderBytes);
  const magic = magics.get(riff.toString('latin1', 0, 4));
  if (!magic || riff.toString('latin1', 8) !== 'WAVE') return undefined;
  const dialect = dialectOf(magic.bigEndian);
  let samples: SampleLayout | undefined;
  let offset = riffHeaderBytes;
  for (let chunks = 0; chunks < maxChunks; chunks += 1) {
    const header = readAt(fd, offset, chunkHeaderBytes);
    if (header.length < chunkHeaderBytes) break;
    const name = header.toString('latin1', 0, 4);
    const start = offset + chunkHeaderBytes;
    const said = dialect.u32(header, 4);
    const bytes = (said === unsaid ? dialect.longSizes.get(name) : undefined) ?? said;
    if (name === 'ds64' && magic.is64) {
      readLongSizes(readAt(fd, start, Math.min(bytes, longestDs64Bytes)), dialect.longSizes);
    } else if (name === 'fmt ') {
      const chunk = readAt(fd, start, Math.min(bytes, extensibleFormatBytes));
      samples = parseFormat(chunk, dialect, allowsFloat);
    } else if (name === 'data') {
      if (!samples) throw badWav('its audio comes before its format');
      const isOpen = bytes === unsaid || (bytes === 0 && !isChunkAt(fd, start, dialect));
      const dataEnd = isOpen ? Number.POSITIVE_INFINITY : start + bytes;
      return { ...samples, bigEndian: magic.bigEndian, dataStart: start, dataEnd };
    }
    offset = chunkAfter(fd, start + bytes, bytes);
  }
  throw badWav('it holds no audio');
}

function dialectOf(bigEndian: boolean): Dialect {
  return {
    bigEndian,
    u16: (bytes, at) => (bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)),
    u32: (bytes, at) => (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)),
    longSizes: new Map(),
  };
}

/** Size of the file, of `data`, number of samples, then a table of other chunks. */
function readLongSizes(ds64: Buffer, sizes: Map<string, number>): void {
  if (ds64.length < ds64Bytes) throw badWav('its chunk "ds64" is cut off');
  const put = (name: string, size: bigint) => {
    // Zero: it was written to a pipe, where no program can go back to fill it in.
    if (size !== 0n && size !== unsaid64) sizes.set(name, Number(size));
  };
  put('data', ds64.readBigUInt64LE(8));
  for (let at = ds64Bytes; at + ds64EntryBytes <= ds64.length; at += ds64EntryBytes) {
    put(ds64.toString('latin1', at, at + 4), ds64.readBigUInt64LE(at + 4));
  }
}

/**
 * Chunks are padded to an even length. Some programs forget it; then the name of the next chunk
 * begins where the padding should be.
 */
function chunkAfter(fd: WavBytes, end: number, bytes: number): number {
  if (bytes % 2 === 0) return end;
  const [unpadded, padded] = [0, 1].map((skip) => readAt(fd, end + skip, 4).toString('latin1'));
  const isForgotten = isChunkName(unpadded) && !['fmt ', 'data'].includes(padded ?? '');
  return isForgotten ? end : end + 1;
}

/**
 * Behind a size of 0: the next chunk, or audio of a program that was killed, or wrote to a pipe,
 * and could not say how much it is.
 */
function isChunkAt(fd: WavBytes, offset: number, { u32 }: Dialect): boolean {
  const header = readAt(fd, offset, chunkHeaderBytes);
  if (header.length < chunkHeaderBytes || !isChunkName(header.toString('latin1', 0, 4)))
    return false;
  const sizeBytes = typeof fd === 'number' ? fstatSync(fd).size : fd.length;
  return offset + chunkHeaderBytes + u32(header, 4) <= sizeBytes;
}

function isChunkName(text = ''): boolean {
  return /^[\x20-\x7e]{4}$/.test(text);
}

type SampleLayout = Pick<WavLayout, 'format' | 'isFloat'>;

function parseFormat(bytes: Buffer, { u16, u32 }: Dialect, allowsFloat: boolean): SampleLayout {
  if (bytes.length < plainFormatBytes) throw badWav('its format chunk is cut off');
  const outerTag = u16(bytes, 0);
  const isExtensible = outerTag === extensibleTag && bytes.length >= extensibleFormatBytes;
  const tag = isExtensible ? u32(bytes, subFormatOffset) : outerTag;
  const isFloat = tag === floatTag && allowsFloat && u16(bytes, 14) === floatBits;
  if (tag !== pcmTag && !isFloat) {
    throw new SourceError(
      otherEncoding,
      `its audio is ${otherEncodings[tag] ?? `of encoding ${tag}`}, not integer PCM`,
    );
  }
  const channels = u16(bytes, 2);
  const rateHz = u32(bytes, 4);
  const frameBytes = u16(bytes, 12);
  const bits = u16(bytes, 14);
  // Samples of, say, 20 bits lie left-aligned in three bytes: play the whole container.
  const containerBits = (8 * frameBytes) / channels;
  const isContained = bits > containerBits - 8 && bits <= containerBits;
  if (!isContained || containerBits % 8 !== 0) {
    throw badWav(`${bits} bits do not fit its ${frameBytes}-byte frames of ${channels} channels`);
  }
  try {
    return { format: SampleFormat.parse(`${rateHz}:${containerBits}:${channels}`), isFloat };
  } catch (error) {
    if (error instanceof ZerocastError) throw badWav(error.message);
    throw error;
  }
}

/** As many of `bytes` as the file has at `position`. */
function readAt(fd: WavBytes, position: number, bytes: number): Buffer {
  if (typeof fd !== 'number') return Buffer.from(fd.subarray(position, position + bytes));
  const buffer = Buffer.alloc(bytes);
  return buffer.subarray(0, readSync(fd, buffer, 0, bytes, position));
}

function badWav(fault: string): SourceError {
  return new SourceError('bad-wav', fault);
}
