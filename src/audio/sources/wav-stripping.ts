import { messageOf, SourceError } from '../../base/errors.ts';
import type { ReadInto } from '../../base/net/adopt-socket.ts';
import type { SampleFormat } from '../sample-format.ts';
import { readWavHeader } from './wav-header.ts';

const riffBytes = 12;
const chunkHeaderBytes = 8;
/** What stands before the audio, texts and pictures included. */
const maxHeaderBytes = 64 * 1024;

interface WavStripping {
  /** Of the stream; 24 bit come in 3 bytes. */
  readonly format: SampleFormat;
  /** What comes is no such audio; why, is told once. */
  readonly fail: (reason: string) => void;
}

/**
 * Takes the WAV header off what comes first: of the header as much is read at a time as is known to
 * belong to it, so that the audio behind it lands in the memory of `audio` without a copy.
 */
export function withoutWavHeader(audio: ReadInto, { format, fail }: WavStripping): ReadInto {
  const header = Buffer.alloc(maxHeaderBytes);
  let bytes = 0;
  let neededBytes = riffBytes;
  let isAudio = false;
  let hasFailed = false;
  const take = () => {
    const fault = faultOf(header.subarray(0, bytes), format);
    isAudio = fault === undefined;
    hasFailed = !isAudio;
    if (fault !== undefined) fail(fault);
  };
  return {
    buffer: () => (isAudio ? audio.buffer() : header.subarray(bytes, neededBytes)),
    callback: (count, buffer) => {
      if (isAudio) return audio.callback(count, buffer);
      if (hasFailed) return false;
      bytes += count;
      if (bytes < neededBytes) return true;
      const next = bytes === riffBytes ? chunkHeaderBytes : nextBytes(header, bytes);
      neededBytes = bytes + next;
      if (next === 0 || neededBytes > maxHeaderBytes) take();
      return !hasFailed;
    },
  };
}

/** How much follows that is no audio: a chunk, padded, and the header of the next one. */
function nextBytes(header: Buffer, bytes: number): number {
  if (!/^(?:RIFF|RF64|BW64)$/.test(header.toString('latin1', 0, 4))) return 0;
  const name = header.toString('latin1', bytes - chunkHeaderBytes, bytes - 4);
  const size = header.readUInt32LE(bytes - 4);
  return name === 'data' ? 0 : size + (size % 2) + chunkHeaderBytes;
}

function faultOf(header: Buffer, format: SampleFormat): string | undefined {
  try {
    const layout = readWavHeader(header);
    if (!layout) return 'it does not write WAV: leave out format=wav';
    const said = layout.format;
    if (said.bits === 8) return 'it writes WAV of 8 bit, which is unsigned: have it write 16';
    if (said.equals(format)) return undefined;
    const packed = said.bits === 24 ? '&packed_s24le=true' : '';
    return `it writes WAV of ${said}: write sampleformat=${said}${packed}`;
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return `it writes WAV that cannot be played: ${messageOf(error)}`;
  }
}
