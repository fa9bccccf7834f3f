import { ProtocolError } from '../../base/errors.ts';
import type { Decoder } from './decoder.ts';
import { createFlacDecoder } from './flac-decoder.ts';
import { createOggDecoder } from './ogg-decoder.ts';
import { createOpusDecoder } from './opus-decoder.ts';
import { createPcmDecoder } from './pcm-decoder.ts';

const factories = new Map<string, (header: Uint8Array) => Decoder | Promise<Decoder>>([
  ['flac', createFlacDecoder],
  ['ogg', createOggDecoder],
  ['opus', createOpusDecoder],
  ['pcm', createPcmDecoder],
]);

/** The decoder for a `CodecHeader`. Failure: a `ProtocolError` for what is unknown or damaged. */
export async function createDecoder(codec: string, header: Uint8Array): Promise<Decoder> {
  const factory = factories.get(codec);
  if (!factory) {
    const known = [...factories.keys()].join(', ');
    throw new ProtocolError('unknown-codec', `cannot decode "${codec}", only ${known}`);
  }
  return factory(header);
}
