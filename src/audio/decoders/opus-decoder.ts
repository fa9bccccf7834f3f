import type { Decoder as LibopusDecoder } from '@evan/opus';
import { messageOf, ProtocolError, ZerocastError } from '../../base/errors.ts';
import { bytesOf } from '../sample-conversion.ts';
import type { SampleFormat } from '../sample-format.ts';
import type { Decoder } from './decoder.ts';
import { headerFormat } from './header-format.ts';

const headerBytes = 12;
const magic = 0x4f505553;
/** Rates that libopus can decode to. */
const rates = [8000, 12_000, 16_000, 24_000, 48_000] as const;
/** 120 ms in frames of 20 ms, each at most 1275 bytes. *Source:* RFC 6716, section 3.4. */
const maxPacketBytes = 6 * 1275 + 14;

/** Failure: rejects with a `ProtocolError` when `header` is no opus header. */
export async function createOpusDecoder(header: Uint8Array): Promise<Decoder> {
  const format = readOpusHeader(header);
  const rate = rates.find((known) => known === format.rateHz);
  const channels = format.channels === 1 ? 1 : 2;
  if (!rate || format.bits !== 16 || format.channels !== channels) {
    throw new ProtocolError('bad-codec-header', `opus cannot be decoded to ${format}`);
  }
  try {
    const { Decoder } = await import('@evan/opus');
    return new OpusDecoder(format, new Decoder({ channels, sample_rate: rate }));
  } catch (cause) {
    throw new ZerocastError('opus-unavailable', 'the opus library does not start', { cause });
  }
}

class OpusDecoder implements Decoder {
  readonly format: SampleFormat;
  readonly #opus: LibopusDecoder;

  constructor(format: SampleFormat, opus: LibopusDecoder) {
    this.format = format;
    this.#opus = opus;
  }

  decode(payload: Uint8Array): Uint8Array {
    // libopus takes an empty packet for a lost one, and the library copies into a fixed buffer.
    if (payload.length === 0 || payload.length > maxPacketBytes) {
      throw new ProtocolError('bad-chunk', `no opus packet has ${payload.length} bytes`);
    }
    try {
      const pcm = this.#opus.decode(payload);
      return bytesOf(pcm);
    } catch (cause) {
      throw new ProtocolError('bad-chunk', `the opus packet is damaged: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  close(): void {}
}

/** Failure: throws a `ProtocolError` when `header` is no opus header. */
export function readOpusHeader(header: Uint8Array): SampleFormat {
  const bytes = bytesOf(header);
  if (bytes.length < headerBytes || bytes.readUInt32LE(0) !== magic) {
    throw new ProtocolError('bad-codec-header', 'the opus header does not start with "SUPO"');
  }
  return headerFormat('opus', {
    rateHz: bytes.readUInt32LE(4),
    bits: bytes.readUInt16LE(8),
    channels: bytes.readUInt16LE(10),
  });
}
