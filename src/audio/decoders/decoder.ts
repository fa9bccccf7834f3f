import type { SampleFormat } from '../sample-format.ts';

/**
 * Turns the chunks of one stream back into PCM. Those of `pcm` and `flac` also run in browsers.
 *
 * Failure: a damaged chunk throws a `ProtocolError`; the next good one still decodes.
 */
export interface Decoder {
  readonly format: SampleFormat;
  /**
   * Decodes one chunk; every chunk yields its samples at once.
   *
   * Shape: PCM as on the wire, 24-bit samples in 4-byte containers.
   * Ownership: the result may share memory with `payload`.
   */
  decode(payload: Uint8Array): Uint8Array;
  close(): void;
}
