import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../errors.ts';
import { fileModes } from './atomic-file.ts';
import { makeFolder } from './make-folder.ts';
import { describeProcess } from './process-holder.ts';
import { type LockOutcome, ProcessLock, type ProcessLockOptions } from './process-lock.ts';

export interface DataFolderOptions {
  /** The setting `[server] datadir`; empty: chosen here. */
  readonly datadir: string;
  /** `$HOME` of the user that the server runs as, if there is one. */
  readonly home: string | undefined;
  readonly isDaemon: boolean;
}

/** The folder of `server.json`: never that of snapserver unless it is set. */
export function dataFolder(options: DataFolderOptions): string {
  return options.datadir || usualFolder('zerocast', options);
}

/** Where snapserver, started in the same way, has its state; nothing is taken from there when `datadir` is set. */
export function snapserverFolder(options: DataFolderOptions): string | undefined {
  return options.datadir ? undefined : usualFolder('snapserver', options);
}

/** Source: protocol reference, 8.3. */
function usualFolder(program: string, { home, isDaemon }: DataFolderOptions): string {
  return home && !isDaemon ? join(home, '.config', program) : join('/var/lib', program);
}

const stateName = 'server.json';
/** More is no state file. */
const maxStateBytes = 64 * 1024 * 1024;

/**
 * Copies what snapserver has saved into a data folder that holds no state yet; its own file stays
 * as it is. The result is the path of that file, or `undefined` when there is nothing to take over.
 *
 * Failure: throws the error of the system.
 */
export function takeOverState(from: string, into: string): string | undefined {
  const path = join(from, stateName);
  const target = join(into, stateName);
  if (!existsSync(path) || existsSync(target)) return undefined;
  // Root may be reading a folder of somebody else, who may have put anything there.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.size > maxStateBytes) throw new Error('it is no small file');
    writeFileSync(target, readFileSync(fd), { flag: 'wx', mode: fileModes.open });
    return path;
  } finally {
    closeSync(fd);
  }
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
