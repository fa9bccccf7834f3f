import { execFile } from 'node:child_process';
import { closeSync, constants, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const mkfifoTimeoutMs = 5000;
/** Where a fifo without a lasting name may be made, best first. */
const scratchFolders = [tmpdir(), '/dev/shm', '/run'];

/**
 * Makes a fifo that everybody may write to; Node itself has no call for it.
 *
 * Failure: rejects when the command `mkfifo` is missing or refuses.
 */
export async function makeFifo(path: string, mode = '666'): Promise<void> {
  await run('mkfifo', ['-m', mode, '--', path], { timeout: mkfifoTimeoutMs });
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
