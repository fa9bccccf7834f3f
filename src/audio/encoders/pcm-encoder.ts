import type { Chunk } from '../chunk.ts';
import type { SampleFormat } from '../sample-format.ts';
import { type Codec, demandNoOptions, type Emit, type Encoder } from './encoder.ts';

const headerBytes = 44;

/** The codec that changes nothing: what came in goes out, in the same memory. */
export const pcmCodec: Codec = {
  name: 'pcm',
  help: 'pcm: samples as they are; no options',
  create: async ({ format, options }) => {
    demandNoOptions('pcm', options);
    return new PcmEncoder(format);
  },
};

class PcmEncoder implements Encoder {
  readonly header: Uint8Array;
  readonly format: SampleFormat;
  readonly delayFrames = 0;
  readonly blockFrames = 0;
  readonly blockLookAheadFrames = 0;
  readonly memoryFrames = 0;
  readonly maxPaddingFrames = 0;

  constructor(format: SampleFormat) {
    this.header = riffHeader(format);
    this.format = format;
  }

  encode(pcm: Chunk, _startFrame: number, emit: Emit): undefined {
    const frames = pcm.payloadBytes / this.format.frameBytes;
    if (frames === 0) pcm.release();
    else emit(pcm, frames);
  }

  flush(): undefined {}

  close(): void {}
}

/**
 * The 44 bytes that clients read at fixed offsets. Block align and byte rate count 24-bit samples
 * as 3 bytes, though they travel in 4: clients expect exactly this contradiction.
 *
 * Source: protocol reference, 4.1.
 */
export function riffHeader({ rateHz, bits, channels }: SampleFormat): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(headerBytes - 8, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rateHz, 24);
  header.writeUInt32LE((rateHz * bits * channels) / 8, 28);
  header.writeUInt16LE((channels * bits) / 8, 32);
  header.writeUInt16LE(bits, 34);
  header.write('data', 36, 'latin1');
  return header;
}
