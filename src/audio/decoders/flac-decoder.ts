import { ProtocolError } from '../../base/errors.ts';
import { newSamples, type Samples } from '../sample-conversion.ts';
import type { SampleFormat } from '../sample-format.ts';
import { BitReader, damaged } from './bit-reader.ts';
import type { Decoder } from './decoder.ts';
import { crc16 } from './flac-crc.ts';
import { type FlacFrameHeader, readFrameHeader, type StereoMode } from './flac-frame-header.ts';
import { readSubframe } from './flac-subframe.ts';
import { headerFormat } from './header-format.ts';

const streamInfoEnd = 42;
/** `fLaC` */
const magic = 0x664c6143;
/** A few bytes can claim 65536 samples: no chunk may grow into more PCM than this. */
export const maxDecodedBytes = 8 * 1024 * 1024;

/**
 * A FLAC decoder of our own: the library's returns 16-bit samples by guessing, and holds a frame
 * back until the next one begins.
 *
 * Failure: throws a `ProtocolError` when `header` is no FLAC header.
 */
export function createFlacDecoder(header: Uint8Array): Decoder {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const hasStreamInfo = header.length >= streamInfoEnd && (header[4]! & 0x7f) === 0;
  if (!hasStreamInfo || view.getUint32(0) !== magic) {
    throw new ProtocolError(
      'bad-codec-header',
      'the flac header does not start with "fLaC" and STREAMINFO',
    );
  }
  const packed = view.getUint32(18);
  const format = headerFormat('flac', {
    rateHz: packed >>> 12,
    channels: ((packed >>> 9) & 7) + 1,
    bits: ((packed >>> 4) & 31) + 1,
  });
  if (format.bits === 32) {
    throw new ProtocolError('bad-codec-header', 'flac of 32 bits cannot be decoded, only up to 24');
  }
  return new FlacDecoder(format);
}

class FlacDecoder implements Decoder {
  readonly format: SampleFormat;

  constructor(format: SampleFormat) {
    this.format = format;
  }

  decode(payload: Uint8Array): Uint8Array {
    const reader = new BitReader(payload);
    const blocks: Uint8Array[] = [];
    let decodedBytes = 0;
    while (!reader.isAtEnd) {
      const start = reader.byteOffset;
      const header = readFrameHeader(reader, payload, start);
      this.#check(header);
      decodedBytes += header.frames * this.format.frameBytes;
      if (decodedBytes > maxDecodedBytes) throw damaged(`it holds over ${maxDecodedBytes} bytes`);
      blocks.push(this.#readBlock(reader, header));
      reader.align();
      const sum = crc16(payload.subarray(start, reader.byteOffset));
      if (reader.unsigned(16) !== sum) throw damaged('its checksum is wrong');
    }
    return blocks.length === 1 ? blocks[0]! : joined(blocks, decodedBytes);
  }

  close(): void {}

  #check({ rateHz, bits, channels }: FlacFrameHeader): void {
    const { format } = this;
    const found = `${rateHz ?? format.rateHz}:${bits ?? format.bits}:${channels}`;
    if (found !== `${format}`) throw damaged(`it holds ${found} in a stream of ${format}`);
  }

  #readBlock(reader: BitReader, { frames, channels, stereoMode }: FlacFrameHeader): Uint8Array {
    const signals = Array.from({ length: channels }, (_, channel) => {
      const samples = new Int32Array(frames);
      const isSide = channel === sideChannel[stereoMode];
      readSubframe(reader, this.format.bits + (isSide ? 1 : 0), samples);
      return samples;
    });
    restoreStereo(signals, stereoMode);
    const pcm = newSamples(frames * channels, this.format);
    signals.forEach((signal, channel) => {
      interleave(signal, { channel, channels }, pcm);
    });
    return new Uint8Array(pcm.buffer);
  }
}

function joined(blocks: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let offset = 0;
  for (const block of blocks) {
    all.set(block, offset);
    offset += block.length;
  }
  return all;
}

/** Which channel carries a difference, and therefore one bit more. */
const sideChannel: Readonly<Record<StereoMode, number | undefined>> = {
  independent: undefined,
  'left-side': 1,
  'side-right': 0,
  'mid-side': 1,
};

/** Turns differences back into left and right. *Source:* RFC 9639, section 4.2. */
function restoreStereo([first, second]: readonly Int32Array[], mode: StereoMode): void {
  if (!first || !second || mode === 'independent') return;
  for (let index = 0; index < first.length; index += 1) {
    const a = first[index]!;
    const b = second[index]!;
    if (mode === 'left-side') {
      second[index] = a - b;
    } else if (mode === 'side-right') {
      first[index] = a + b;
    } else {
      const middle = a * 2 + (b & 1);
      first[index] = (middle + b) >> 1;
      second[index] = (middle - b) >> 1;
    }
  }
}

function interleave(
  signal: Int32Array,
  { channel, channels }: { channel: number; channels: number },
  pcm: Samples,
): void {
  for (let index = 0; index < signal.length; index += 1) {
    pcm[index * channels + channel] = signal[index]!;
  }
}
