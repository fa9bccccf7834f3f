import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** A folder with the log module as plain JavaScript, for programs that log and then end. */
export interface LogProgramFolder {
  readonly path: string;
  /** Writes a program that begins with a `createLogger` at hand, and returns its path. */
  program(name: string, body: string): string;
  remove(): void;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

export function buildLogPrograms(): LogProgramFolder {
  const path = mkdtempSync(join(tmpdir(), 'zerocast-log-'));
  mkdirSync(join(path, 'log'));
  cpSync(join(root, 'package.json'), join(path, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(path, 'node_modules'));
  const modules = readdirSync(join(root, 'src/log')).map((name) => `log/${name}`);
  const roots = ['log.ts', 'errors.ts', 'foreign-text.ts', 'logger.ts', 'secrets.ts'];
  for (const name of [...roots, ...modules]) {
    const source = readFileSync(join(root, 'src', name), 'utf8');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    writeFileSync(join(path, name.replace(/\.ts$/, '.js')), outputText);
  }
  return {
    path,
    program: (name, body) => {
      const file = join(path, name);
      writeFileSync(file, `import { createLogger } from './log.js';\n${body}`);
      return file;
    },
    remove: () => rmSync(path, { recursive: true }),
  };
}
