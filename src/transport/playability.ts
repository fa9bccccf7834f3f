import type { ChunkTiming } from '../audio/encoders/chunk-timing.ts';
import { playablePastMs, staleMarginMs } from './broadcast.ts';
import { autoSendIntervalMs, type SendIntervalOptions } from './send-interval.ts';

export type PlayabilityOptions = Omit<SendIntervalOptions, 'wantedSendBytes'>;

/** What is wrong with the chunks of a stream. */
export interface Unplayable {
  /** `nothing`: every chunk is too old when it is there. `late`: many are, when they are sent. */
  readonly plays: 'nothing' | 'late';
  /** The smallest `buffer` with which they are all in time. */
  readonly leastBufferMs: number;
}

/** Whether chunks leave in time to be played; `undefined` when they do. */
export function unplayable(
  timing: ChunkTiming,
  options: PlayabilityOptions,
): Unplayable | undefined {
  if (isInTime(timing, options)) return undefined;
  const leastBufferMs = leastBuffer(timing, options);
  return { plays: timing.ageMs >= options.bufferMs ? 'nothing' : 'late', leastBufferMs };
}

/**
 * For how long a source may collect audio before it is read: no longer than it waits for its session
 * anyway, and all that is left over at the end of a stream, too, is still in time.
 */
export function longestGroupMs(timing: ChunkTiming, options: PlayabilityOptions): number {
  const { ageMs, durationMs } = timing;
  const waitMs = Math.max(intervalMs(options), durationMs) + durationMs;
  const spareMs = playablePastMs(options.bufferMs, staleMarginMs) - ageMs - waitMs;
  return Math.max(0, Math.min(intervalMs(options), spareMs));
}

function leastBuffer(timing: ChunkTiming, options: PlayabilityOptions): number {
  let bufferMs = Math.ceil(timing.ageMs);
  while (!isInTime(timing, { ...options, bufferMs })) bufferMs += 1;
  return bufferMs;
}

/** By the time that it waits for its session to be due, a chunk must not count as stale. */
function isInTime({ ageMs, durationMs }: ChunkTiming, options: PlayabilityOptions): boolean {
  const waitMs = Math.max(0, intervalMs(options) - durationMs);
  return ageMs + waitMs < playablePastMs(options.bufferMs, staleMarginMs);
}

function intervalMs({ bufferMs, sendIntervalMs }: PlayabilityOptions): number {
  return sendIntervalMs === 'auto' ? autoSendIntervalMs(bufferMs) : sendIntervalMs;
}
