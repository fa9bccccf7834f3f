import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A module and all that it imports by path, as JavaScript that a plain child process can run. */
export interface PlainModule {
  readonly folder: string;
  readonly path: string;
  remove(): void;
}

/** `file` is named from the root of the repository. */
export function buildPlainModule(file: string): PlainModule {
  const folder = mkdtempSync(join(tmpdir(), 'zerocast-plain-'));
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  const files = new Set([join(root, file)]);
  for (const source of files) {
    const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const target = join(folder, plainNameOf(source));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
    for (const [, path = ''] of outputText.matchAll(/(?:from |import\()"(\.[^"]+)\.js"/g)) {
      files.add(join(dirname(source), `${path}.ts`));
    }
  }
  return {
    folder,
    path: join(folder, plainNameOf(join(root, file))),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

function plainNameOf(source: string): string {
  return relative(root, source).replace(/\.ts$/, '.js');
}
