import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { readableStack } from '../base/readable-stack.ts';

/** Wrong use, a bad configuration, a port that is taken, or our own fault. */
export const failureStatus = 1;
export const stopSignals = ['SIGINT', 'SIGTERM'] as const;
/** Exit status of a process that a signal ended. Source: POSIX shells, 128 + SIGKILL's number. */
export const forcedStatus = 137;

/** Signals that end the process at once when it is stopping already; others come to nothing then. */
const forceSignals: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGTERM']);
/** For the whole of a stop, whatever it is at; less than the service manager waits. */
const maxStopMs = 18_000;

/** Resolves with the first signal to stop; a second one, or the end of patience, forces the end. */
export function stopSignal(forceEnd: () => void): Promise<NodeJS.Signals> {
  let isStopping = false;
  return new Promise((resolve) => {
    for (const signal of stopSignals) {
      process.on(signal, () => {
        if (isStopping && forceSignals.has(signal)) forceEnd();
        if (!isStopping) setTimeout(forceEnd, maxStopMs).unref();
        isStopping = true;
        resolve(signal);
      });
    }
  });
}

/** What follows the first internal error is mostly the same again. */
const maxToldErrors = 5;

/** Resolves when our own code broke a promise: nothing is known to hold any more. */
export function internalError(log: Logger): Promise<undefined> {
  let count = 0;
  return new Promise((resolve) => {
    const report = (error: unknown) => {
      count += 1;
      if (count <= maxToldErrors) {
        const stack = error instanceof Error ? readableStack(error) : undefined;
        log.fatal('internal error', { reason: messageOf(error), stack });
      }
      resolve(undefined);
    };
    // For good: while the state is being saved, a further one must not end the process.
    process.on('uncaughtException', report);
    process.on('unhandledRejection', report);
  });
}
