import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What runs in a process, without its options: they may hold passwords. */
export interface ProcessProgram {
  readonly name: string;
  /** What kind of audio server it is, if any. */
  readonly server: 'zerocast' | 'snapserver' | undefined;
}

/** The same place from `src/server/` and from `dist/server/`. */
const ownProgram = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** Other commands of this program are no servers. */
const otherCommands = new Set(['probe', 'hash-password', 'token', 'doctor']);

/** Shape: `argv` as the system keeps it; `usualName` is for a process that has none. */
export function programOf(argv: readonly string[], usualName = 'a program'): ProcessProgram {
  const [program = '', ...options] = argv;
  const [script = '', command = ''] = options.slice(firstWord(options));
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
