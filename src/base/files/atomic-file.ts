import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Who may read a file, before the umask: every user, or only that of the server. */
export const fileModes = { open: 0o644, private: 0o600 } as const;

/**
 * Replaces a file as a whole: its readers, also after a crash or a power failure, find the
 * old text or the new one. Pieces are written one by one, other work runs between them.
 *
 * Ownership: one write at a time per path. Failure: rejects with the system's error; the old file
 * is whole then, and no temporary is left.
 */
export async function writeFileAtomically(
  path: string,
  text: string | Iterable<string>,
  mode: number = fileModes.open,
): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    await using(await open(temporary, anew, mode), async (file) => {
      await writeFile(file, text);
      await file.sync();
    });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Rejects if files like `path` cannot be made, which is asked of the system by making one. */
export async function probeFolderOf(path: string): Promise<void> {
  const temporary = temporaryOf(path);
  await using(await open(temporary, anew, fileModes.private), () => rm(temporary));
}

/** Removes what killed processes have left beside `path`, also earlier versions, as far as it may. */
export async function removeTemporaries(path: string): Promise<void> {
  const folder = dirname(path);
  const prefix = `.${basename(path)}.`;
  const isTemporary = (name: string) =>
    name.startsWith(prefix) && /^([0-9a-f]{16}|\d{1,10})\.tmp$/.test(name.slice(prefix.length));
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter(isTemporary)) await rm(join(folder, name)).catch(() => {});
}

/** Never what is there already: a fifo would make us wait for a reader, a link lead elsewhere. */
const anew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * In the same folder, because a rename does not leave its file system, and under a name that no
 * other process can take before.
 */
function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
}

/** Lets the new name survive a power failure, on file systems that can be asked for it. */
export async function syncFolder(path: string): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  const folder = await open(path, flags).catch(() => undefined);
  if (folder) await using(folder, () => folder.sync()).catch(() => {});
}

async function using(file: FileHandle, use: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await use(file);
  } finally {
    await file.close();
  }
}
