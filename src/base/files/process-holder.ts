import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { codeOf } from '../errors.ts';
import { packageFolder } from '../package-folder.ts';

/** What runs in a process, without its options: they may hold passwords. */
export interface ProcessProgram {
  readonly name: string;
  /** What kind of audio server it is, if any. */
  readonly server: 'zerocast' | 'snapserver' | undefined;
}

const ownProgram = join(packageFolder, 'dist', 'main.js');
/** Other commands of this program are no servers. */
const otherCommands = new Set(['probe', 'hash-password', 'token', 'doctor', 'clips']);

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

export function programOf({
  argv,
  folder,
  usualName = 'a program',
}: {
  readonly argv: readonly string[];
  /** The folder that it is in; `undefined` where that is hidden. */
  readonly folder: string | undefined;
  /** For a process that has no arguments. */
  readonly usualName?: string;
}): ProcessProgram {
  const [program = '', ...options] = argv;
  const [word = '', command = ''] = options.slice(firstWord(options));
  const script = word && folder ? resolve(folder, word) : word;
  const name = basename(program) || usualName;
  if (name === 'snapserver') return { name, server: 'snapserver' };
  if (!/^node(js)?$/.test(name)) return { name, server: undefined };
  const isOurs =
    ['zerocast', basename(ownProgram)].includes(basename(script)) &&
    (script === ownProgram || /\bzerocast\b/.test(script));
  if (!isOurs) return { name: `${name} ${basename(script)}`.trim(), server: undefined };
  return { name: 'zerocast', server: otherCommands.has(command) ? undefined : 'zerocast' };
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

/** Behind the options of Node itself. */
function firstWord(options: readonly string[]): number {
  return Math.max(
    0,
    options.findIndex((option) => !option.startsWith('-')),
  );
}
