import { join } from 'node:path';
import { ConfigError } from '../errors.ts';
import { makeFolder } from './make-folder.ts';
import { describeProcess } from './process-holder.ts';
import { type LockOutcome, ProcessLock, type ProcessLockOptions } from './process-lock.ts';

/** Where a system service keeps its state. */
const serviceFolder = '/var/lib/snapserver';

export interface DataFolderOptions {
  /** The setting `[server] datadir`; empty: chosen here. */
  readonly datadir: string;
  /** `$HOME` of the user that the server runs as, if there is one. */
  readonly home: string | undefined;
  readonly isDaemon: boolean;
}

/** The folder of `server.json`. Source: protocol reference, 8.3. */
export function dataFolder({ datadir, home, isDaemon }: DataFolderOptions): string {
  if (datadir) return datadir;
  return home && !isDaemon ? join(home, '.config', 'snapserver') : serviceFolder;
}

/** Shows which server has a data folder; beside `server.json`, which is replaced as a whole. */
const lockName = 'server.json.lock';

export interface DataFolderLockOptions extends Omit<ProcessLockOptions, 'path'> {
  /** Made if it does not exist. */
  readonly folder: string;
}

/**
 * Keeps other servers out of a data folder, as each would overwrite what the other saves.
 *
 * Shape: `undefined` when nothing can be written there; then nobody overwrites anything.
 * Failure: throws a `ConfigError` that names the server which has the folder.
 */
export function lockDataFolder(options: DataFolderLockOptions): ProcessLock | undefined {
  const { folder, ...how } = options;
  const outcome = acquireIn(folder, how);
  if (!outcome) return undefined;
  if ('lock' in outcome) return outcome.lock;
  throw new ConfigError(
    'data-folder-in-use',
    `the data folder ${folder} is in use by ${describeProcess(outcome.holder)}; ` +
      'stop that server, or give each its own folder with [server] datadir',
  );
}

function acquireIn(folder: string, how: Omit<ProcessLockOptions, 'path'>): LockOutcome | undefined {
  try {
    makeFolder(folder);
    return ProcessLock.acquire({ ...how, path: join(folder, lockName) });
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    // The state file says what is wrong with the folder.
    return undefined;
  }
}
