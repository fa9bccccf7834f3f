/** What a session's audio did for a time; `outstanding` is of now. Units: sends, bytes, chunks. */
export interface SendStatistics {
  /** Sends with `MSG_ZEROCOPY` that were tried, and those that the kernel accepted. */
  zeroCopyAttempts: number;
  zeroCopySends: number;
  zeroCopyBytes: number;
  /** Completed zero-copy sends of which the kernel says that it copied after all. */
  zeroCopyCopied: number;
  /** Sends without the flag, those by Node included. */
  regularSends: number;
  regularBytes: number;
  /** Sends of which the kernel took only a part. */
  partialSends: number;
  /** Sends of which the kernel took nothing, because the peer does not read (`EAGAIN`). */
  wouldBlock: number;
  /** Zero-copy sends that the kernel had no room for (`ENOBUFS`) and that went out plainly. */
  noBuffers: number;
  /** Ticks in which a write of Node's had reserved the socket. */
  coordinationFallbacks: number;
  chunks: number;
  /** Chunks that were skipped because they were too old to be played. */
  lostChunks: number;
  /** Zero-copy sends that the kernel has accepted and not completed. */
  outstanding: number;
}

export function noSends(): SendStatistics {
  return {
    zeroCopyAttempts: 0,
    zeroCopySends: 0,
    zeroCopyBytes: 0,
    zeroCopyCopied: 0,
    regularSends: 0,
    regularBytes: 0,
    partialSends: 0,
    wouldBlock: 0,
    noBuffers: 0,
    coordinationFallbacks: 0,
    chunks: 0,
    lostChunks: 0,
    outstanding: 0,
  };
}

/** Adds `more` to `total`, in place. */
export function addSends(total: SendStatistics, more: SendStatistics): void {
  for (const key of sendStatisticsKeys) total[key] += more[key];
}

/** What happened between two totals; `outstanding` is that of the later one. */
export function subtractSends(later: SendStatistics, earlier: SendStatistics): SendStatistics {
  const difference = { ...later };
  for (const key of sendStatisticsKeys) difference[key] -= earlier[key];
  return { ...difference, outstanding: later.outstanding };
}

const sendStatisticsKeys = Object.keys(noSends()) as readonly (keyof SendStatistics)[];
