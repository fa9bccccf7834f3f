import { ProtocolError } from '../../base/errors.ts';
import type { SampleFormat } from '../sample-format.ts';
import type { Decoder } from './decoder.ts';
import { headerFormat } from './header-format.ts';

const headerBytes = 44;
/** `RIFF`, and at its place `WAVEfmt `. */
const marks = [
  [0, 0x52494646],
  [8, 0x57415645],
  [12, 0x666d7420],
] as const;

/** Failure: throws a `ProtocolError` when `header` is not the 44 bytes that servers send. */
export function createPcmDecoder(header: Uint8Array): Decoder {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const isWhole = header.length >= headerBytes;
  if (!isWhole || marks.some(([offset, mark]) => view.getUint32(offset) !== mark)) {
    throw new ProtocolError(
      'bad-codec-header',
      `the pcm header is no RIFF header of ${headerBytes} bytes`,
    );
  }
  return new PcmDecoder(
    headerFormat('pcm', {
      rateHz: view.getUint32(24, true),
      bits: view.getUint16(34, true),
      channels: view.getUint16(22, true),
    }),
  );
}

class PcmDecoder implements Decoder {
  readonly format: SampleFormat;

  constructor(format: SampleFormat) {
    this.format = format;
  }

  decode(payload: Uint8Array): Uint8Array {
    const { frameBytes } = this.format;
    if (payload.length % frameBytes !== 0) {
      throw new ProtocolError(
        'bad-chunk',
        `a pcm chunk of ${payload.length} bytes does not hold whole frames of ${frameBytes} bytes`,
      );
    }
    return payload;
  }

  close(): void {}
}
