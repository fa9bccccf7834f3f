import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { codeOf } from '../errors.ts';
import { programOf } from './process-program.ts';

/** `process 123 (zerocast)`, with its program where the system tells it. */
export function describeProcess(pid: number | undefined): string {
  if (pid === undefined) return 'a process that did not leave its number';
  if (pid === process.pid) return 'this very process';
  const argv = argvOf(pid);
  return argv
    ? `process ${pid} (${programOf({ argv, folder: linkTarget(`/proc/${pid}/cwd`) }).name})`
    : `process ${pid}`;
}

/**
 * Whether a living process has a file open, so that a number which another program has got since
 * counts for nothing.
 *
 * Where its descriptors are not shown, as it belongs to another user, its command line decides;
 * without /proc its mere existence does.
 */
export function isHeldBy(path: string, pid: number): boolean {
  const files = openFilesOf(pid);
  if (files) return files.includes(path);
  const argv = argvOf(pid);
  if (argv) return /node|zerocast|snapserver/.test(argv.join(' '));
  return isAlive(pid);
}

/** `undefined` where they are not shown. */
function openFilesOf(pid: number): readonly string[] | undefined {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).map((name) => linkTarget(`${folder}/${name}`));
  } catch {
    return undefined;
  }
}

function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // It was closed in the meantime, or is hidden.
    return '';
  }
}

/** `undefined` when there is no such process, or no /proc. */
function argvOf(pid: number): readonly string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
