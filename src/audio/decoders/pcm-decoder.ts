import { ProtocolError } from '../../base/errors.ts';
import { bytesOf } from '../sample-conversion.ts';
import type { SampleFormat } from '../sample-format.ts';
import type { Decoder } from './decoder.ts';
import { headerFormat } from './header-format.ts';

const headerBytes = 44;

/** Failure: throws a `ProtocolError` when `header` is not the 44 bytes that servers send. */
export function createPcmDecoder(header: Uint8Array): Decoder {
  const bytes = bytesOf(header);
  const marks = bytes.toString('latin1', 0, 4) + bytes.toString('latin1', 8, 16);
  if (bytes.length < headerBytes || marks !== 'RIFFWAVEfmt ') {
    throw new ProtocolError(
      'bad-codec-header',
      `the pcm header is no RIFF header of ${headerBytes} bytes`,
    );
  }
  return new PcmDecoder(
    headerFormat('pcm', {
      rateHz: bytes.readUInt32LE(24),
      bits: bytes.readUInt16LE(34),
      channels: bytes.readUInt16LE(22),
    }),
  );
}

class PcmDecoder implements Decoder {
  readonly format: SampleFormat;

  constructor(format: SampleFormat) {
    this.format = format;
  }

  decode(payload: Uint8Array): Buffer {
    const { frameBytes } = this.format;
    if (payload.length % frameBytes !== 0) {
      throw new ProtocolError(
        'bad-chunk',
        `a pcm chunk of ${payload.length} bytes does not hold whole frames of ${frameBytes} bytes`,
      );
    }
    return bytesOf(payload);
  }

  close(): void {}
}
