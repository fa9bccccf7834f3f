import type { ChunkTiming } from '../audio/encoders/chunk-timing.ts';
import type { StreamOptions } from '../audio/stream-options.ts';
import { type PlayabilityOptions, type Unplayable, unplayable } from '../transport/playability.ts';

/** What is wrong with the times of a stream, in words. */
interface TimingProblem {
  readonly plays: Unplayable['plays'];
  /** One sentence. */
  readonly text: string;
  /** One sentence: how to fix it. */
  readonly remedy: string;
}

/** `undefined` when all chunks of the stream can be played in time. */
export function timingProblem(
  { chunkMs, codec }: Pick<StreamOptions, 'chunkMs' | 'codec'>,
  timing: ChunkTiming,
  sending: PlayabilityOptions,
): TimingProblem | undefined {
  const problem = unplayable(timing, sending);
  if (!problem) return undefined;
  const { bufferMs, sendIntervalMs } = sending;
  const { plays, leastBufferMs } = problem;
  const ageMs = Math.ceil(timing.ageMs);
  const given = `chunk_ms=${chunkMs}, codec=${codec}, send_interval=${sendIntervalMs}`;
  const outcome = plays === 'nothing' ? 'nothing is played' : 'audio comes too late';
  const isBlock = timing.durationMs > chunkMs;
  return {
    plays,
    text:
      `it takes ${ageMs} ms until a chunk is complete (${given}), and buffer is only ` +
      `${bufferMs} ms: ${outcome}`,
    remedy:
      `set [stream] buffer to at least ${leastBufferMs}, or lower chunk_ms` +
      (isBlock ? ', or choose a codec with shorter chunks, such as pcm or flac:2' : ''),
  };
}
