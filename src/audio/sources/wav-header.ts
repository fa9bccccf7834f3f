import { readSync } from 'node:fs';
import { SourceError, ZerocastError } from '../../errors.ts';
import { SampleFormat } from '../sample-format.ts';

/** Where the audio of a WAV file lies and what it is. */
export interface WavLayout {
  readonly format: SampleFormat;
  readonly dataStart: number;
  /** Infinity when the header leaves it open, as programs that write to a pipe do. */
  readonly dataEnd: number;
}

const riffHeaderBytes = 12;
const chunkHeaderBytes = 8;
const plainFormatBytes = 16;
const extensibleFormatBytes = 40;
const subFormatOffset = 24;
const maxChunks = 1000;
const pcmTag = 1;
const extensibleTag = 0xfffe;
const openEnded = [0, 0xffff_ffff];
const otherEncodings: Readonly<Record<number, string>> = {
  2: 'ADPCM',
  3: 'floating point',
  6: 'A-law',
  7: 'µ-law',
  85: 'MP3',
};

/**
 * Walks the chunks of a WAV file up to its audio; `undefined` when the file is no WAV file.
 *
 * Failure: throws a `SourceError` when it is one that cannot be played.
 * Source: "Multiple Channel Audio Data and WAVE Files", Microsoft, 2001.
 */
export function readWavHeader(fd: number): WavLayout | undefined {
  const riff = readAt(fd, 0, riffHeaderBytes);
  const magic = riff.toString('latin1', 0, 4);
  if (!['RIFF', 'RF64'].includes(magic) || riff.toString('latin1', 8) !== 'WAVE') return undefined;
  let format: SampleFormat | undefined;
  let offset = riffHeaderBytes;
  for (let chunks = 0; chunks < maxChunks; chunks += 1) {
    const header = readAt(fd, offset, chunkHeaderBytes);
    if (header.length < chunkHeaderBytes) break;
    const name = header.toString('latin1', 0, 4);
    const bytes = header.readUInt32LE(4);
    const start = offset + chunkHeaderBytes;
    if (name === 'fmt ') {
      format = parseFormat(readAt(fd, start, Math.min(bytes, extensibleFormatBytes)));
    } else if (name === 'data') {
      if (!format) throw badWav('its audio comes before its format');
      const dataEnd = openEnded.includes(bytes) ? Number.POSITIVE_INFINITY : start + bytes;
      return { format, dataStart: start, dataEnd };
    }
    offset = start + bytes + (bytes % 2); // chunks are padded to an even length
  }
  throw badWav('it holds no audio');
}

function parseFormat(bytes: Buffer): SampleFormat {
  if (bytes.length < plainFormatBytes) throw badWav('its format chunk is cut off');
  const outerTag = bytes.readUInt16LE(0);
  const isExtensible = outerTag === extensibleTag && bytes.length >= extensibleFormatBytes;
  const tag = isExtensible ? bytes.readUInt16LE(subFormatOffset) : outerTag;
  if (tag !== pcmTag) {
    throw badWav(
      `its audio is ${otherEncodings[tag] ?? `of encoding ${tag}`}, not integer PCM: ` +
        'convert it, for example with "sox in.wav -e signed-integer -b 24 out.wav"',
    );
  }
  const channels = bytes.readUInt16LE(2);
  const rateHz = bytes.readUInt32LE(4);
  const frameBytes = bytes.readUInt16LE(12);
  const bits = bytes.readUInt16LE(14);
  // Samples of, say, 20 bits lie left-aligned in three bytes: play the whole container.
  const containerBits = (8 * frameBytes) / channels;
  const isContained = bits > containerBits - 8 && bits <= containerBits;
  if (!isContained || containerBits % 8 !== 0) {
    throw badWav(`${bits} bits do not fit its ${frameBytes}-byte frames of ${channels} channels`);
  }
  try {
    return SampleFormat.parse(`${rateHz}:${containerBits}:${channels}`);
  } catch (error) {
    if (error instanceof ZerocastError) throw badWav(error.message);
    throw error;
  }
}

/** As many of `bytes` as the file has at `position`. */
function readAt(fd: number, position: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  return buffer.subarray(0, readSync(fd, buffer, 0, bytes, position));
}

function badWav(fault: string): SourceError {
  return new SourceError('bad-wav', fault);
}
