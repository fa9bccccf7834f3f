import { execFile } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf, messageOf } from '../../base/errors.ts';
import type { FileGate } from './file-gate.ts';

const run = promisify(execFile);
const mkfifoTimeoutMs = 5000;
/** Where a fifo without a lasting name may be made, best first. */
export const scratchFolders: readonly string[] = [tmpdir(), '/dev/shm', '/run'];

const noFolder = 'No such file or directory';

/** What to do about the refusals of `mkfifo` that one meets. */
const remedies: readonly (readonly [refusal: string, remedy: string])[] = [
  [noFolder, 'make its folder first, or choose another path'],
  ['Not a directory', 'choose another path'],
  ['Permission denied', 'give the user of the server the right to write to its folder'],
  ['Read-only file system', 'choose a folder that can be written to, such as /run'],
  ['No space left on device', 'free some space on the disk'],
];

interface FifoMaking {
  readonly mode?: string;
  /** From which `path` is seen. */
  readonly folder?: string;
}

/**
 * Makes a fifo that every user may write to; Node itself has no call for it.
 *
 * Failure: rejects when the command `mkfifo` is missing or refuses, and says what to do.
 */
export async function makeFifo(
  path: string,
  { mode = '666', folder }: FifoMaking = {},
): Promise<void> {
  try {
    const options = {
      timeout: mkfifoTimeoutMs,
      env: { ...process.env, LC_ALL: 'C' },
      ...(folder !== undefined && { cwd: folder }),
    };
    await run('mkfifo', ['-m', mode, '--', path], options);
  } catch (cause) {
    throw new Error(refusalOf(cause), { cause });
  }
}

/**
 * The same where a gate allows it. The folder is opened before it is checked, so that it cannot be
 * replaced by a link in between.
 */
export async function makeFifoBehind(gate: FileGate | undefined, path: string): Promise<void> {
  if (!gate) return makeFifo(path);
  const folder = openFolder(dirname(path));
  try {
    const way = wayTo(folder) ?? dirname(path);
    gate.checkPath(join(realpathSync(way), basename(path)));
    gate.takeFifo();
    await makeFifo(basename(path), { folder: way });
  } finally {
    closeSync(folder);
  }
}

function openFolder(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    const said = codeOf(cause) === 'ENOENT' ? noFolder : messageOf(cause);
    throw new Error(withRemedy(said), { cause });
  }
}

/** Leads to an open folder whatever its name is by now, also in a child; Linux alone has it. */
function wayTo(folder: number): string | undefined {
  const way = `/proc/self/fd/${folder}`;
  return existsSync(way) ? way : undefined;
}

/** The error of Node quotes the whole command; the program itself says it in a few words. */
function refusalOf(cause: unknown): string {
  const { killed, stderr } = Object(cause) as Partial<Record<string, unknown>>;
  if (codeOf(cause) === 'ENOENT') return 'there is no program mkfifo: install coreutils';
  if (killed === true) return `mkfifo did not end within ${mkfifoTimeoutMs / 1000} s`;
  const said = typeof stderr === 'string' ? stderr.trim() : '';
  return withRemedy(said) || messageOf(cause);
}

function withRemedy(said: string): string {
  return remedies.find(([refusal]) => said.endsWith(refusal))?.join(': ') ?? said;
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
export function openFifoForReading(path: string, gate?: FileGate): OpenFifo | undefined {
  gate?.checkPath(path);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    gate?.checkOpen(path, fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const stats = fstatSync(fd);
  if (stats.isFIFO()) return { fd, device: stats.dev, inode: stats.ino };
  closeSync(fd);
  return undefined;
}

interface AnonymousPipe {
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
export async function openAnonymousPipe(folders = scratchFolders): Promise<AnonymousPipe> {
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
    await makeFifo(path, { mode: '600' });
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
