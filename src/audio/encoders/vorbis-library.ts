import { SourceError } from '../../base/errors.ts';
import type { SampleFormat } from '../sample-format.ts';

export interface VorbisStreamSettings {
  readonly format: SampleFormat;
  /** -0.1 to 1 */
  readonly quality: number;
}

/**
 * One encoder of a library, which hands out packets as soon as they are complete.
 *
 * Failure: each call throws a `SourceError` when the library fails.
 */
export interface VorbisStream {
  /** Bytes of each packet that the last call has made, one after the other. */
  readonly sizes: ArrayLike<number>;
  /**
   * Begins a stream and forgets another; to be called first. What waits then is the three packets of
   * its header; returns how many packets wait.
   */
  begin(): number;
  /** Takes on some of `pcm`, and is done with the memory; returns how many packets it has made. */
  process(pcm: Uint8Array, startFrame: number, frames: number): number;
  /** Copies the oldest packet that was not taken yet. */
  take(target: Uint8Array): void;
  close(): void;
}

export const headerPackets = 3;
/** Room in `sizes`: more than fit into one call. */
export const maxPacketsPerCall = 256;

export function refusedFormat({ format, quality }: VorbisStreamSettings): SourceError {
  const { rateHz, channels } = format;
  return new SourceError(
    'bad-codec-format',
    `failed to init encoder: ogg of ${rateHz} Hz and ${channels} channels at quality ${quality}: ` +
      'use another sample format, or codec flac or opus',
  );
}

export function vorbisFault(what: string, cause?: unknown): SourceError {
  return new SourceError('ogg-encoder', `the ogg library failed: ${what}`, { cause });
}
