import type { Chunk } from '../chunk.ts';
import type { SampleFormat } from '../sample-format.ts';
import { type Codec, demandNoOptions, type Encoder } from './encoder.ts';

/** For a source that only feeds other streams: nothing is ever sent. */
export const nullCodec: Codec = {
  name: 'null',
  help: 'null: sends nothing, for sources that only feed other streams; no options',
  create: async ({ format, options }) => {
    demandNoOptions('null', options);
    return new NullEncoder(format);
  },
};

class NullEncoder implements Encoder {
  readonly header = new Uint8Array(0);
  readonly format: SampleFormat;
  readonly delayFrames = 0;
  readonly blockFrames = 0;
  readonly blockLookAheadFrames = 0;
  readonly memoryFrames = 0;
  readonly maxPaddingFrames = 0;

  constructor(format: SampleFormat) {
    this.format = format;
  }

  encode(pcm: Chunk): undefined {
    pcm.release();
  }

  flush(): undefined {}

  close(): void {}
}
