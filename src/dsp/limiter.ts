const ceiling = 10 ** (-1 / 20);
const lookAheadMs = 5;
const releaseMs = 50;

/** Where in the state of a limiter its numbers lie. */
export const limiterField = {
  /** Frames of look-ahead, by which it delays. */
  frames: 0,
  channels: 1,
  ceiling: 2,
  /** By which share of the way the gain comes back per frame. */
  release: 3,
  /** The next place in the rings of samples and gains. */
  position: 4,
  /** The gain of the last frame before it is smoothed. */
  gain: 5,
  /** Of all gains in their ring. */
  sum: 6,
  /** Frames since the beginning. */
  frame: 7,
  /** The smallest gains of the window wait in a ring, ascending: its first place, and how many. */
  queueStart: 8,
  queueLength: 9,
  /** Begin here: delayed samples, gains, then gains and frames of the queue. */
  rings: 10,
} as const;

/**
 * A limiter that no sample passes above −1 dBFS: the gain falls within the look-ahead of 5 ms and
 * comes back within some 50 ms.
 *
 * Shape: as `limiterField` tells; the queue has one place more than the other rings.
 */
export function newLimiter(rateHz: number, channels: number): Float64Array {
  const frames = Math.max(1, Math.round((rateHz * lookAheadMs) / 1000));
  const state = new Float64Array(limiterNumbers(frames, channels));
  state[limiterField.frames] = frames;
  state[limiterField.channels] = channels;
  state[limiterField.ceiling] = ceiling;
  state[limiterField.release] = 1 - Math.exp(-1000 / (releaseMs * rateHz));
  state[limiterField.gain] = 1;
  state[limiterField.sum] = frames;
  const gains = limiterField.rings + frames * channels;
  state.fill(1, gains, gains + frames);
  return state;
}

function limiterNumbers(frames: number, channels: number): number {
  return limiterField.rings + frames * channels + frames + 2 * (frames + 1);
}

/** By how many frames a limiter delays. */
export function limiterDelayFrames(state: Float64Array): number {
  return state[limiterField.frames]!;
}
