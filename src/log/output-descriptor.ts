import { constants, fstatSync, openSync } from 'node:fs';

/**
 * A way to stdout (1) or stderr (2) that never waits for its reader, where there is one.
 *
 * A pipe or terminal without a reader must not hold up the audio. It is opened once more, because
 * switching the given descriptor to non-blocking would do so for every process that shares it.
 */
export function openOutput(descriptor: 1 | 2): {
  readonly descriptor: number;
  /** The descriptor was opened here and must be closed. */
  readonly owned: boolean;
} {
  const given = { descriptor, owned: false };
  try {
    const status = fstatSync(descriptor);
    if (!status.isFIFO() && !status.isCharacterDevice()) return given;
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    return { descriptor: openSync(`/proc/self/fd/${descriptor}`, flags), owned: true };
  } catch {
    // No /proc, no permission, or no reader: the given one has to do.
    return given;
  }
}
