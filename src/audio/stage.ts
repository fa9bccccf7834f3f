import type { Chunk } from './chunk.ts';
import type { Place } from './pacer.ts';

/** PCM with its place in time. */
export interface TimedPcm extends Place {
  readonly chunk: Chunk;
  /** The rest of a run whose source has fallen silent: captured before the pause, told behind it. */
  readonly endsRun?: boolean;
}

/** What audio passes through to its encoder. Shape: one per stream, for PCM of its one format. */
export interface Stage {
  /**
   * Frames by which what comes out lags behind what went in; constant. A stage that delays gives as
   * many frames as it took, from `startsRun` on; what it gives first and last is cut and fetched.
   */
  readonly delayFrames: number;
  /**
   * Reads the PCM, changes it in place, or puts another chunk in its place; nothing: it is not sent.
   *
   * Ownership: takes over the reference to the chunk, also when it throws, and hands on that of the
   * chunk it returns.
   * Failure: throws a `SourceError`, which disables the stream.
   */
  process(pcm: TimedPcm): TimedPcm | undefined;
}

/**
 * Looks at what a stream sends to its encoder, behind all stages.
 *
 * Failure: one that throws is told of in the log, closed, and called no more.
 */
export interface PcmObserver {
  /** Ownership: reads the chunk, within the call. */
  take(pcm: TimedPcm): void;
  /** What comes next begins a new run. */
  endRun(): void;
  /** Nothing comes any more. */
  close?(): void;
}
