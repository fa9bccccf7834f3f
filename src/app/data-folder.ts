import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConfigError, codeOf, messageOf } from '../base/errors.ts';
import { writeFileAtomically } from '../base/files/atomic-file.ts';
import { makeFolder } from '../base/files/make-folder.ts';
import { describeProcess } from '../base/files/process-holder.ts';
import {
  type LockOutcome,
  nativeLocks,
  ProcessLock,
  type ProcessLockOptions,
} from '../base/files/process-lock.ts';
import type { LogReport } from '../base/logger.ts';
import type { Background } from './daemon/background.ts';

export type ClaimedFolder = {
  readonly path: string;
  /** For the log, once it is open. */
  readonly concerns: readonly Pick<LogReport, 'phrase' | 'fields'>[];
  /** The file of snapserver whose copy is in it since now. */
  readonly takenOver?: string | undefined;
} & ({ readonly lock: ProcessLock | undefined } | { readonly refusal: unknown });

/** The folder of the state, which this server alone may use. */
export async function claimDataFolder(
  datadir: string,
  background: Background | undefined,
): Promise<ClaimedFolder> {
  const isDaemon = background !== undefined;
  const options = { datadir, home: process.env.HOME, isDaemon };
  const path = dataFolder(options);
  const concerns = background?.prepareFolder(path, { isUsual: datadir === '' }) ?? [];
  try {
    const lock = lockDataFolder({ folder: path, owner: background?.identity, ...nativeLocks() });
    const inherited = lock ? await inherit(snapserverFolder(options), path) : {};
    return { path, ...inherited, concerns: [...concerns, ...(inherited.concerns ?? [])], lock };
  } catch (refusal) {
    return { path, concerns, refusal };
  }
}

/** Groups, names and volumes of snapserver are there the first time, too. */
async function inherit(from: string | undefined, into: string): Promise<Partial<ClaimedFolder>> {
  try {
    return { takenOver: from && (await takeOverState(from, into)) };
  } catch (error) {
    const remedy = `stop, copy server.json from there to ${into}, and start again`;
    const fields = { folder: from, reason: messageOf(error), remedy };
    return { concerns: [{ phrase: 'the state of snapserver cannot be taken over', fields }] };
  }
}

interface DataFolderOptions {
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

/**
 * The folder that a user means who says nothing: that of a server which runs, in the foreground or as
 * a service, else one that is there.
 */
export function servedDataFolder(options: DataFolderOptions): string {
  const folders = [dataFolder(options), dataFolder({ ...options, isDaemon: true })];
  const isServed = (folder: string) => existsSync(join(folder, lockName));
  return folders.find(isServed) ?? folders.find(existsSync) ?? dataFolder(options);
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
 * Failure: rejects with the error of the system; then there is no copy, and the next start tries again.
 */
export async function takeOverState(from: string, into: string): Promise<string | undefined> {
  const target = join(into, stateName);
  // A link that leads nowhere at present is the user's wish, too.
  if (lstatSync(target, { throwIfNoEntry: false })) return undefined;
  const state = readSnapserverState(from);
  if (!state) return undefined;
  await writeFileAtomically(target, state.text);
  return state.path;
}

/** What snapserver has saved there, if anything. Failure: throws when it must not be read. */
export function readSnapserverState(
  folder: string,
): { readonly path: string; readonly text: string } | undefined {
  const path = join(folder, stateName);
  const fd = openUnlinked(path);
  if (fd === undefined) return undefined;
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.size > maxStateBytes) throw new Error(`${path} is no small file`);
    if (stats.nlink > 1) throw new Error(`${path} has a second name`);
    return { path, text: readFileSync(fd, 'utf8') };
  } finally {
    closeSync(fd);
  }
}

/** Root may be reading a folder of another user, who may have put anything there. */
function openUnlinked(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) === 'ELOOP') throw new Error(`${path} is a link`, { cause: error });
    throw error;
  }
}

/** Shows which server has a data folder; beside `server.json`, which is replaced as a whole. */
const lockName = 'server.json.lock';

/**
 * Keeps other servers out of a data folder, as each would overwrite what the other saves; makes it
 * if it does not exist.
 *
 * Shape: `undefined` when nothing can be written there; then no server overwrites anything.
 * Failure: throws a `ConfigError` that names the server which has the folder.
 */
export function lockDataFolder(
  options: Omit<ProcessLockOptions, 'path'> & { readonly folder: string },
): ProcessLock | undefined {
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
