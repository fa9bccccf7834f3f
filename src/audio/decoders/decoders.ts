import { ProtocolError } from '../../base/errors.ts';
import type { Decoder } from './decoder.ts';
import { createFlacDecoder } from './flac-decoder.ts';
import { createOpusDecoder } from './opus-decoder.ts';
import { createPcmDecoder } from './pcm-decoder.ts';

type DecoderFactory = (header: Uint8Array) => Decoder | Promise<Decoder>;

const factories: ReadonlyMap<string, DecoderFactory> = new Map<string, DecoderFactory>([
  ['flac', createFlacDecoder],
  ['opus', createOpusDecoder],
  ['pcm', createPcmDecoder],
]);

/**
 * Builds the decoder for what a `CodecHeader` message says.
 *
 * Failure: rejects with a `ProtocolError` for an unknown codec or a damaged header.
 */
export async function createDecoder(codec: string, header: Uint8Array): Promise<Decoder> {
  const factory = factories.get(codec);
  if (!factory) {
    const known = [...factories.keys()].join(', ');
    throw new ProtocolError('unknown-codec', `cannot decode "${codec}", only ${known}`);
  }
  return factory(header);
}
