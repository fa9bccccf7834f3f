import { lchownSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, messageOf } from '../../base/errors.ts';
import { makeFolder } from '../../base/files/make-folder.ts';
import { describeProcess } from '../../base/files/process-holder.ts';
import {
  type LockOutcome,
  ProcessLock,
  type ProcessLockOptions,
} from '../../base/files/process-lock.ts';

/**
 * Makes the pid file, locked for as long as this process lives; its folder too, if there is none.
 *
 * Failure: throws a `ConfigError` that names the server which has it, or what is wrong with it.
 */
export function openPidFile(options: ProcessLockOptions): ProcessLock {
  const outcome = acquire(options);
  if ('lock' in outcome) return outcome.lock;
  throw new ConfigError(
    'already-running',
    `the server is already running: ${describeProcess(outcome.holder)} holds ${options.path}`,
  );
}

function acquire(options: ProcessLockOptions): LockOutcome {
  const { path, owner } = options;
  try {
    const made = makeFolder(dirname(path));
    // Its user removes the file in the end, which takes the folder.
    if (made !== undefined && owner) lchownSync(dirname(path), owner.uid, owner.gid);
    return ProcessLock.acquire(options);
  } catch (error) {
    throw new ConfigError(
      'bad-pid-file',
      `the pid file cannot be made: ${messageOf(error)}; fix [server] pidfile`,
      { cause: error },
    );
  }
}
