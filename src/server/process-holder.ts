import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** `process 123 (node main.js -d)`, with its command line where the system tells it. */
export function describeProcess(pid: number | undefined): string {
  if (pid === undefined) return 'a process that did not leave its number';
  if (pid === process.pid) return 'this very process';
  const command = commandLineOf(pid);
  return command ? `process ${pid} (${command})` : `process ${pid}`;
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
  const command = commandLineOf(pid);
  if (command !== undefined) return /node|zerocast|snapserver/.test(command);
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
    // It was closed in the meantime.
    return '';
  }
}

/** What a log can show; `undefined` when there is no such process, or no /proc. */
function commandLineOf(pid: number): string | undefined {
  const maxCharacters = 200;
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return text.replaceAll('\0', ' ').trim().slice(0, maxCharacters);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
