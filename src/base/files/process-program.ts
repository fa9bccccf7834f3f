import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What runs in a process, without its options: they may hold passwords. */
export interface ProcessProgram {
  readonly name: string;
  /** What kind of audio server it is, if any. */
  readonly server: 'zerocast' | 'snapserver' | undefined;
}

/** The same place from src/ and from dist/. */
const ownProgram = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
/** Other commands of this program are no servers. */
const otherCommands = new Set(['probe', 'hash-password', 'token', 'doctor']);

/** What the system shows of a process. */
export interface ProcessView {
  readonly argv: readonly string[];
  /** The folder that it is in; `undefined` where that is hidden. */
  readonly folder: string | undefined;
  /** For a process that has no arguments. */
  readonly usualName?: string;
}

export function programOf({ argv, folder, usualName = 'a program' }: ProcessView): ProcessProgram {
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

/** Behind the options of Node itself. */
function firstWord(options: readonly string[]): number {
  return Math.max(
    0,
    options.findIndex((option) => !option.startsWith('-')),
  );
}
