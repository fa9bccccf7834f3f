import { execFile } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../errors.ts';

const run = promisify(execFile);
const mkfifoTimeoutMs = 5000;
/** Where a fifo without a lasting name may be made, best first. */
const scratchFolders = [tmpdir(), '/dev/shm', '/run'];

/** What to do about the refusals of `mkfifo` that one meets. */
const remedies: readonly (readonly [refusal: string, remedy: string])[] = [
  ['No such file or directory', 'make its folder first, or choose another path'],
  ['Not a directory', 'choose another path'],
  ['Permission denied', 'give the user of the server the right to write to its folder'],
  ['Read-only file system', 'choose a folder that can be written to, such as /run'],
  ['No space left on device', 'free some space on the disk'],
];

/**
 * Makes a fifo that everybody may write to; Node itself has no call for it.
 *
 * Failure: rejects when the command `mkfifo` is missing or refuses, and says what to do.
 */
export async function makeFifo(path: string, mode = '666'): Promise<void> {
  try {
    const env = { ...process.env, LC_ALL: 'C' };
    await run('mkfifo', ['-m', mode, '--', path], { timeout: mkfifoTimeoutMs, env });
  } catch (cause) {
    throw new Error(refusalOf(cause), { cause });
  }
}

/** The error of Node quotes the whole command; the program itself says it in a few words. */
function refusalOf(cause: unknown): string {
  const { code, killed, stderr } = Object(cause) as Partial<Record<string, unknown>>;
  if (code === 'ENOENT') return 'there is no program mkfifo: install coreutils';
  if (killed === true) return `mkfifo did not end within ${mkfifoTimeoutMs / 1000} s`;
  const said = typeof stderr === 'string' ? stderr.trim() : '';
  const remedy = remedies.find(([refusal]) => said.endsWith(refusal));
  if (remedy) return remedy.join(': ');
  return said || messageOf(cause);
}

/** The reading end of a fifo and what tells it from another one of the same name. */
export interface OpenFifo {
  readonly fd: number;
  readonly device: number;
  readonly inode: number;
}

/**
 * Opens the reading end of a fifo without waiting for a writer.
 *
 * Failure: throws; `undefined` when something else than a fifo lies at `path`.
 */
export function openFifoForReading(path: string): OpenFifo | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = fstatSync(fd);
  if (stats.isFIFO()) return { fd, device: stats.dev, inode: stats.ino };
  closeSync(fd);
  return undefined;
}

export interface AnonymousPipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/**
 * A pipe for the output of a child. Node gives children socket pairs, which they cannot open again
 * as `/dev/stdout`; programs that record to a file name want to.
 *
 * Ownership: the caller closes both descriptors.
 * Failure: rejects when no folder can hold a fifo for a moment.
 */
export async function openAnonymousPipe(
  folders: readonly string[] = scratchFolders,
): Promise<AnonymousPipe> {
  let fault: unknown;
  for (const folder of folders) {
    try {
      return await openUnlinkedFifo(folder);
    } catch (error) {
      fault = error;
    }
  }
  throw fault;
}

async function openUnlinkedFifo(folder: string): Promise<AnonymousPipe> {
  const scratch = mkdtempSync(join(folder, 'zerocast-'));
  try {
    const path = join(scratch, 'pipe');
    await makeFifo(path, '600');
    const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return { readFd, writeFd: openSync(path, constants.O_WRONLY) };
    } catch (error) {
      closeSync(readFd);
      throw error;
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
