import { SourceError } from '../../base/errors.ts';
import type { SampleFormat } from '../sample-format.ts';

export interface FlacStreamSettings {
  readonly format: SampleFormat;
  /** 0 to 8 */
  readonly level: number;
  readonly blockFrames: number;
}

/** What another thread has done. */
export interface FlacWork {
  readonly blocks: number;
  readonly tookUs: number;
}

/**
 * One encoder of a library, which hands out whole blocks.
 *
 * Failure: each call throws a `SourceError`, or rejects with it, when the library fails.
 */
export interface FlacStream {
  /** Samples of all channels that one call of `process` takes on at most. */
  readonly maxSamples: number;
  /** Bytes and frames of each block that the last call has made, one after the other. */
  readonly blocks: ArrayLike<number>;
  /** Begins with frame number 0: to be called first, and after each `finish`. */
  begin(): void;
  /** Takes on some of `pcm`, and is done with the memory; returns how many blocks it has made. */
  process(pcm: Uint8Array, startFrame: number, frames: number): number | Promise<FlacWork>;
  /** Makes a block of what waits, also of a single sample; returns how many. */
  finish(): number | Promise<FlacWork>;
  /** Copies the oldest block that was not taken yet. */
  take(target: Uint8Array): void;
  /** Frees the encoder; blocks that were made can still be taken. */
  close(): void;
}

/** Room in `blocks`: more than fit into one call. */
export function newBlockList(): Uint32Array {
  return new Uint32Array(64);
}

export function flacFault(what: string, cause?: unknown): SourceError {
  return new SourceError('flac-encoder', `the flac library failed: ${what}`, { cause });
}
