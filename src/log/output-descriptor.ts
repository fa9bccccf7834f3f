import { constants, fstatSync, openSync } from 'node:fs';

export interface OutputDescriptor {
  readonly descriptor: number;
  /** The descriptor was opened here and must be closed. */
  readonly owned: boolean;
}

/**
 * A way to stdout (1) or stderr (2) that never waits for its reader, where there is one.
 *
 * A pipe is opened once more, because switching the given one to non-blocking would do so for
 * every process that shares it. Left blocking, a reader that has stopped would keep a thread of
 * the pool, and then the end of the process, waiting for ever.
 */
export function openOutput(descriptor: 1 | 2): OutputDescriptor {
  const given = { descriptor, owned: false };
  try {
    if (!fstatSync(descriptor).isFIFO()) return given;
    const flags = constants.O_WRONLY | constants.O_NONBLOCK;
    return { descriptor: openSync(`/proc/self/fd/${descriptor}`, flags), owned: true };
  } catch {
    // No /proc, no permission, or no reader: the given one has to do.
    return given;
  }
}
