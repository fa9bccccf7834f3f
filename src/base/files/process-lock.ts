import {
  closeSync,
  constants,
  existsSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { constants as system } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '../errors.ts';
import { loadNativeAddon } from '../native/native-addon.ts';
import { isHeldBy } from './process-holder.ts';

/** Another process may remove the file at the moment at which it is opened; not for ever. */
const maxAttempts = 100;

export interface LockFunctions {
  /** Locks an open file until it is closed, or gives an error number; absent: unsupported. */
  readonly lockFile: ((descriptor: number) => number) | undefined;
}

/** What the system offers through the addon. */
export function nativeLocks(): LockFunctions {
  const native = loadNativeAddon();
  return { lockFile: 'addon' in native ? native.addon.lockFile : undefined };
}

export interface ProcessLockOptions extends LockFunctions {
  /** In a folder that exists. */
  readonly path: string;
  /** Gets the file. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

export type LockOutcome =
  | { readonly lock: ProcessLock }
  /** Another process has it; its number, if it is known. */
  | { readonly holder: number | undefined };

/**
 * A file with the number of this process that says "here I am" to others, and is locked where the
 * system can do that.
 *
 * A file that a killed process left behind is no obstacle: its lock ended with it, and without
 * locks the process that it names does not have it open any more.
 */
export class ProcessLock {
  readonly #path: string;
  #descriptor: number;

  private constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  /** Failure: throws the error of the file system when the file cannot be made. */
  static acquire(options: ProcessLockOptions): LockOutcome {
    const path = realPathOf(options.path);
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      const holder = namedHolder(path);
      if (holder !== undefined) return { holder };
      const result = options.lockFile ? openLocked(path, options.lockFile) : openNew(path);
      if (result === 'held') break;
      if (result === 'gone') continue;
      const lock = new ProcessLock(path, result);
      lock.#sign(options.owner);
      return { lock };
    }
    return { holder: readPid(path) };
  }

  /** Removes the file, or empties it where it cannot be removed. */
  release(): void {
    const descriptor = this.#descriptor;
    if (descriptor < 0) return;
    this.#descriptor = -1;
    try {
      // Still locked: no other process can have taken this file, and a newer one is not ours.
      if (isFileAt(this.#path, descriptor)) unlinkSync(this.#path);
    } catch {
      emptyFile(descriptor);
    }
    closeSync(descriptor);
  }

  #sign(owner: ProcessLockOptions['owner']): void {
    const descriptor = this.#descriptor;
    try {
      if (owner) fchownSync(descriptor, owner.uid, owner.gid);
      ftruncateSync(descriptor);
      writeSync(descriptor, `${process.pid}\n`, 0);
    } catch {
      // A full disk, or another user's file: the lock counts all the same.
    }
  }
}

/** The folder without links, as /proc shows it. */
function realPathOf(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

/** The living process that the file names and that has the file open. */
function namedHolder(path: string): number | undefined {
  const pid = readPid(path);
  return pid !== undefined && isHeldBy(path, pid) ? pid : undefined;
}

function readPid(path: string): number | undefined {
  try {
    const [, digits] = /^(\d{1,10})\n/.exec(beginningOf(path)) ?? [];
    return digits === undefined ? undefined : Number(digits);
  } catch {
    return undefined;
  }
}

/** Another writer of the folder must not make us wait for a pipe, or read without end. */
function beginningOf(path: string): string {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(16);
    return bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** An open descriptor; or what became of the file at the moment at which it was opened. */
type Opening = number | 'held' | 'gone';

/** The owner of what is at `path` says nothing: the lock says which process has it. */
function openLocked(path: string, lockFile: (descriptor: number) => number): Opening {
  const descriptor = openWritable(path);
  if (descriptor === undefined) return openForeign(path, lockFile);
  if (!isOurs(descriptor)) {
    closeSync(descriptor);
    throw new Error(`${path} is no plain file, or has a second name: remove it`);
  }
  const outcome = isHeld(lockFile(descriptor)) ? 'held' : undefined;
  if (!outcome && isFileAt(path, descriptor)) return descriptor;
  closeSync(descriptor);
  return outcome ?? 'gone';
}

/**
 * A user who may write to the folder may give another user's file this name: it must be neither
 * overwritten nor given away.
 */
function isOurs(descriptor: number): boolean {
  const file = fstatSync(descriptor);
  return file.isFile() && file.nlink <= 1;
}

/** `undefined` when the file belongs to another user. */
function openWritable(path: string): number | undefined {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o644);
  } catch (error) {
    if (codeOf(error) === 'EACCES' && existsSync(path)) return undefined;
    throw error;
  }
}

/** A server of another user left the file behind, or still has it: it can be locked and removed. */
function openForeign(path: string, lockFile: (descriptor: number) => number): Opening {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if (isHeld(lockFile(descriptor))) return 'held';
    if (isFileAt(path, descriptor)) unlinkSync(path);
    return 'gone';
  } finally {
    closeSync(descriptor);
  }
}

/** Without locks: the process that makes the file has it. What is there was left behind. */
function openNew(path: string): Opening {
  try {
    rmSync(path, { force: true });
    return openSync(path, 'wx+', 0o644);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'gone';
    throw error;
  }
}

/** Other errors mean that the file system has no locks: then the named process has to do. */
function isHeld(errorNumber: number): boolean {
  return errorNumber === system.errno.EWOULDBLOCK || errorNumber === system.errno.EAGAIN;
}

/** The process that held it may have removed it between opening and locking. */
function isFileAt(path: string, descriptor: number): boolean {
  const here = fstatSync(descriptor);
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && here.ino === there.ino && here.dev === there.dev;
}

function emptyFile(descriptor: number): void {
  try {
    ftruncateSync(descriptor);
  } catch {
    // A number that no process has any more is seen through.
  }
}
