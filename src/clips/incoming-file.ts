import { randomBytes } from 'node:crypto';
import {
  constants,
  type FileHandle,
  lchown,
  link,
  open,
  readdir,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { codeOf } from '../base/errors.ts';
import { syncFolder } from '../base/files/atomic-file.ts';
import { makeFolder } from '../base/files/make-folder.ts';
import type { NativeAddon } from '../base/native/native-addon.ts';
import { ClipError } from './clip-error.ts';
import { writeAll } from './file-copier.ts';

/** Where files cannot be locked, one that was not touched for so long is nobody's. */
const staleMs = 10 * 60_000;
const temporaryName = /^\.zerocast-[0-9a-f]{16}\.tmp$/;
const anew = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Hard links do not exist on this file system. */
const noLinks: readonly string[] = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'];

export type LockFile = NativeAddon['lockFile'];

/**
 * A file that gets its name when it is complete, on the disk: until then it is hidden, and locked, so
 * that another process can tell it from what a killed one has left.
 *
 * Ownership: the caller in the end calls `discard`, also after `appear`.
 */
export class IncomingFile {
  readonly file: FileHandle;
  readonly #folder: string;
  readonly #path: string;
  #bytes = 0;

  /** Makes the folder, too. Failure: rejects with the error of the system. */
  static async create(folder: string, lockFile: LockFile): Promise<IncomingFile> {
    await makeOwnFolder(resolve(folder));
    const path = join(folder, `.zerocast-${randomBytes(8).toString('hex')}.tmp`);
    const file = await open(path, anew, 0o644);
    lockFile?.(file.fd);
    await giveLike(folder, (uid, gid) => file.chown(uid, gid));
    return new IncomingFile(folder, path, file);
  }

  private constructor(folder: string, path: string, file: FileHandle) {
    this.#folder = folder;
    this.#path = path;
    this.file = file;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Ownership: `bytes` must stay as they are until then. */
  async append(bytes: Uint8Array): Promise<void> {
    await writeAll(this.file, bytes, this.#bytes);
    this.#bytes += bytes.length;
  }

  /**
   * Failure: rejects with a `ClipError` `exists` when there is such a file and it is not to be
   * replaced.
   */
  async appear(name: string, { replace }: { readonly replace: boolean }): Promise<void> {
    const path = join(this.#folder, name);
    await this.file.sync();
    if (replace) await rename(this.#path, path);
    else await linkAs(this.#path, path, name);
    await syncFolder(this.#folder);
  }

  async discard(): Promise<void> {
    await rm(this.#path, { force: true }).catch(() => undefined);
    await this.file.close();
  }
}

/**
 * Gives a file a further name, never that of another file, as `rename` might: another process may take
 * it at any time. Where there are no links it has only the new name then.
 *
 * Failure: rejects with a `ClipError` `exists`, or with the error of the system.
 */
export async function linkAs(from: string, to: string, name: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw existing(name);
    if (!noLinks.includes(codeOf(error))) throw error;
    if (await stat(to).catch(() => undefined)) throw existing(name);
    await rename(from, to);
  }
}

async function makeOwnFolder(folder: string): Promise<void> {
  const made = makeFolder(folder);
  if (made === undefined) return;
  for (let at = folder; at.length >= made.length; at = dirname(at)) {
    await giveLike(dirname(made), (uid, gid) => lchown(at, uid, gid));
  }
}

/** What root makes belongs to the owner of the folder around it, who may be the user of the server. */
async function giveLike(
  folder: string,
  give: (uid: number, gid: number) => Promise<void>,
): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  // Not every file system has owners.
  await give(uid, gid).catch(() => undefined);
}

export function existing(name: string): ClipError {
  return new ClipError('exists', `there is a clip ${JSON.stringify(name)} already`);
}

/** Removes what killed processes have left, as far as it may. */
export async function sweepIncoming(folder: string, lockFile: LockFile): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((name) => temporaryName.test(name))) {
    const path = join(folder, name);
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(path, flags).catch(() => undefined);
    if (!file) continue;
    try {
      if (await isAbandoned(file, lockFile)) await rm(path).catch(() => undefined);
    } finally {
      await file.close();
    }
  }
}

async function isAbandoned(file: FileHandle, lockFile: LockFile): Promise<boolean> {
  if (lockFile) return lockFile(file.fd) === 0;
  return Date.now() - (await file.stat()).mtimeMs > staleMs;
}
