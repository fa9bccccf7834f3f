import { ProtocolError, ZerocastError } from '../../base/errors.ts';
import { loadNativeAddon, type NativeVorbisDecoder } from '../../base/native/native-addon.ts';
import { packetsOf } from '../ogg-pages.ts';
import type { SampleFormat } from '../sample-format.ts';
import {
  blockFramesOf,
  isAudio,
  readComment,
  readIdentification,
  type VorbisIdentification,
} from '../vorbis-packets.ts';
import type { Decoder } from './decoder.ts';
import { headerFormat } from './header-format.ts';

/** What players take for granted when the comment does not say. */
const usualBits = 16;

/**
 * By the system's libvorbis, as `snapclient` decodes.
 *
 * Failure: throws a `ProtocolError` when `header` is no header, a `ZerocastError` without the library.
 */
export function createOggDecoder(header: Uint8Array): Decoder {
  const [identification, comment, setup, ...more] = packetsOf(header);
  if (!identification || !comment || !setup || more.length > 0) {
    throw new ProtocolError('bad-codec-header', 'the ogg header has not three packets');
  }
  const shape = readIdentification(identification);
  const { rateHz, channels } = shape;
  const format = headerFormat('ogg', { rateHz, channels, bits: bitsIn(comment) });
  const vorbis = newVorbisDecoder();
  if (!vorbis.open(identification, comment, setup, format.bits)) {
    throw new ProtocolError('bad-codec-header', 'the ogg header is not that of Vorbis');
  }
  return new OggDecoder(vorbis, format, shape);
}

class OggDecoder implements Decoder {
  readonly format: SampleFormat;
  readonly #vorbis: NativeVorbisDecoder;
  readonly #shape: VorbisIdentification;
  #hasBegun = false;

  constructor(vorbis: NativeVorbisDecoder, format: SampleFormat, shape: VorbisIdentification) {
    this.format = format;
    this.#vorbis = vorbis;
    this.#shape = shape;
  }

  decode(payload: Uint8Array): Uint8Array {
    return Buffer.concat(packetsOf(payload).map((packet) => this.#decode(packet)));
  }

  close(): void {
    this.#vorbis.close();
  }

  #decode(packet: Uint8Array): Uint8Array {
    const [first = 1] = packet;
    const pcm = isAudio(first) ? this.#vorbis.decode(packet) : undefined;
    if (!pcm) throw new ProtocolError('bad-chunk', 'the vorbis packet is damaged');
    if (this.#hasBegun) return pcm;
    this.#hasBegun = true;
    // The first one only prepares: where others hear the overlap with what was before, there is silence.
    const frames = (this.#shape.longFrames + blockFramesOf(first, this.#shape)) / 4;
    return Buffer.alloc(frames * this.format.frameBytes);
  }
}

function bitsIn(comment: Uint8Array): number {
  for (const text of readComment(comment).comments) {
    const [, bits] = /^SAMPLE_FORMAT=\d+:(\d+):\d+$/i.exec(text) ?? [];
    if (bits !== undefined) return Number(bits);
  }
  return usualBits;
}

function newVorbisDecoder(): NativeVorbisDecoder {
  const native = loadNativeAddon();
  const { VorbisDecoder } = 'addon' in native ? native.addon : {};
  try {
    if (VorbisDecoder) return new VorbisDecoder();
  } catch {
    // There is no library.
  }
  throw new ZerocastError(
    'ogg-unavailable',
    'ogg is decoded by the native addon and libvorbis: install libvorbisenc2 (Debian, Ubuntu), ' +
      'libvorbis (Fedora, Alpine, Homebrew)',
  );
}
