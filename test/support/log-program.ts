import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPlainModule } from './plain-module.ts';

/** A folder with the log module as plain JavaScript, for programs that log and then end. */
export interface LogProgramFolder {
  readonly path: string;
  /** Writes a program that begins with `Log` at hand, and returns its path. */
  program(name: string, body: string): string;
  remove(): void;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

export function buildLogPrograms(): LogProgramFolder {
  const { folder, remove } = buildPlainModule('src/log/log.ts');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return {
    path: folder,
    program: (name, body) => {
      const file = join(folder, name);
      writeFileSync(file, `import { Log } from './src/log/log.js';\n${body}`);
      return file;
    },
    remove,
  };
}
