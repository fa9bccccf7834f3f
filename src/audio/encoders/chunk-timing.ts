import type { SampleFormat } from '../sample-format.ts';
import type { Encoder } from './encoder.ts';

/** How long it takes until a chunk is there. */
export interface ChunkTiming {
  /** From the first sample of a chunk until all of the chunk has come out of the encoder, at most. */
  readonly ageMs: number;
  /** How long the audio of one chunk plays. */
  readonly durationMs: number;
}

/**
 * The timing of chunks that `encoder` makes of PCM that comes `chunkMs` at a time.
 *
 * The PCM chunk that brings what completes a block has more behind it, by which the block is older;
 * that is nearly a whole chunk, unless the lengths of both have a common divisor.
 */
export function chunkTiming(
  encoder: Pick<Encoder, 'format' | 'blockFrames' | 'blockLookAheadFrames' | 'delayFrames'>,
  { format, chunkMs }: { readonly format: SampleFormat; readonly chunkMs: number },
): ChunkTiming {
  const { format: sent, blockFrames, blockLookAheadFrames: ahead, delayFrames } = encoder;
  const readFrames = Math.round((format.framesIn(chunkMs) * sent.rateHz) / format.rateHz);
  const frames = blockFrames || readFrames;
  const divisor = greatestCommonDivisor(readFrames, frames);
  const surplusFrames = readFrames - (ahead % divisor || divisor);
  const ageFrames = frames + ahead + surplusFrames + delayFrames;
  return { ageMs: sent.durationUs(ageFrames) / 1000, durationMs: sent.durationUs(frames) / 1000 };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
