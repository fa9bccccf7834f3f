import { BitReader } from '../audio/decoders/bit-reader.ts';
import { createFlacDecoder } from '../audio/decoders/flac-decoder.ts';
import { readFrameHeader } from '../audio/decoders/flac-frame-header.ts';
import { headerFormat } from '../audio/decoders/header-format.ts';
import { readOpusHeader } from '../audio/decoders/opus-decoder.ts';
import { createPcmDecoder } from '../audio/decoders/pcm-decoder.ts';
import type { SampleFormat } from '../audio/sample-format.ts';
import { ProtocolError } from '../base/errors.ts';

/** How long chunks of one codec last, which their messages do not say. */
interface ChunkDurations {
  readonly format: SampleFormat;
  /** Microseconds; `undefined` for what does not tell, such as a damaged chunk. */
  of(payload: Buffer): number | undefined;
}

const kinds: ReadonlyMap<string, (header: Buffer) => ChunkDurations> = new Map([
  ['pcm', pcmDurations],
  ['flac', flacDurations],
  ['opus', opusDurations],
  ['ogg', oggDurations],
]);

/** Failure: throws a `ProtocolError` for a codec that is not known, or a header that is none. */
export function chunkDurations(codec: string, header: Buffer): ChunkDurations {
  const open = kinds.get(codec);
  if (open) return open(header);
  const known = [...kinds.keys()].join(', ');
  throw new ProtocolError('unknown-codec', `"${codec}" cannot be passed on, only ${known}`);
}

function pcmDurations(header: Buffer): ChunkDurations {
  const { format } = createPcmDecoder(header);
  return {
    format,
    of: ({ length }) => {
      const frames = length / format.frameBytes;
      return Number.isInteger(frames) && frames > 0 ? format.durationUs(frames) : undefined;
    },
  };
}

/** The first byte of the sync code. */
const flacMark = 0xff;

/** A chunk has one frame or several, which only their headers tell. */
function flacDurations(header: Buffer): ChunkDurations {
  const { format } = createFlacDecoder(header);
  return {
    format,
    of: (payload) => {
      let frames = 0;
      for (let at = 0; at >= 0; at = payload.indexOf(flacMark, at + 1)) {
        const block = flacBlockAt(payload, at, format);
        if (block === undefined && at === 0) return undefined;
        frames += block ?? 0;
      }
      return format.durationUs(frames);
    },
  };
}

/** Frames of the block that begins there; `undefined` where none does. */
function flacBlockAt(payload: Buffer, at: number, format: SampleFormat): number | undefined {
  // The chance that samples look like that is one in thousands, and then there is the checksum.
  if (((payload[at + 1] ?? 0) & 0xfe) !== 0xf8) return undefined;
  const rest = payload.subarray(at);
  try {
    const { frames, rateHz, bits, channels } = readFrameHeader(new BitReader(rest), rest, 0);
    const isOurs =
      channels === format.channels &&
      (rateHz ?? format.rateHz) === format.rateHz &&
      (bits ?? format.bits) === format.bits;
    return isOurs ? frames : undefined;
  } catch {
    return undefined;
  }
}

/** Of one frame, by the number of its configuration. *Source:* RFC 6716, section 3.1. */
const silkUs = [10_000, 20_000, 40_000, 60_000];
const hybridUs = [10_000, 20_000];
const celtUs = [2500, 5000, 10_000, 20_000];
const maxOpusUs = 120_000;

function opusDurations(header: Buffer): ChunkDurations {
  return {
    format: readOpusHeader(header),
    of: (payload) => {
      const [toc, second = 0] = payload;
      if (toc === undefined) return undefined;
      const configuration = toc >> 3;
      const frameUs =
        configuration < 12
          ? silkUs[configuration % 4]!
          : configuration < 16
            ? hybridUs[configuration % 2]!
            : celtUs[configuration % 4]!;
      const code = toc & 3;
      const frames = code === 0 ? 1 : code < 3 ? 2 : second & 0x3f;
      const us = frames * frameUs;
      return us > 0 && us <= maxOpusUs ? us : undefined;
    },
  };
}

/** `OggS`. */
const pageMark = Buffer.from('OggS');
const granuleOffset = 6;
const pageHeaderBytes = 27;
/** Of the identification header, behind its page: type, `vorbis`, version, channels, rate. */
const vorbisMark = Buffer.from('\x01vorbis');
const channelsOffset = 11;
const rateOffset = 12;
/** What players take, too: the header may say otherwise in its comments. */
const usualVorbisBits = 16;
/** No chunk lasts longer; a jump of the position is no duration. */
const maxVorbisUs = 2_000_000;

function oggDurations(header: Buffer): ChunkDurations {
  const at = header.indexOf(vorbisMark);
  if (at < 0 || header.length < at + rateOffset + 4) {
    throw new ProtocolError('bad-codec-header', 'the ogg header holds no Vorbis header');
  }
  const [, bits = usualVorbisBits] =
    /SAMPLE_FORMAT=\d+:(\d+):\d+/.exec(header.toString('latin1'))?.map(Number) ?? [];
  const format = headerFormat('ogg', {
    rateHz: header.readUInt32LE(at + rateOffset),
    channels: header[at + channelsOffset]!,
    bits,
  });
  let granule: number | undefined;
  return {
    format,
    of: (payload) => {
      const before = granule;
      granule = lastGranule(payload) ?? granule;
      if (before === undefined || granule === undefined) return undefined;
      const us = format.durationUs(granule - before);
      return us > 0 && us <= maxVorbisUs ? us : undefined;
    },
  };
}

/** Frames of the stream up to the end of the last page of a chunk. */
function lastGranule(payload: Buffer): number | undefined {
  const page = payload.lastIndexOf(pageMark);
  if (page < 0 || payload.length < page + pageHeaderBytes) return undefined;
  const granule = payload.readBigInt64LE(page + granuleOffset);
  return granule >= 0n ? Number(granule) : undefined;
}
