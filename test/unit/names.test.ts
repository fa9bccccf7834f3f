import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Module {
  readonly file: string;
  readonly exports: readonly { readonly name: string; readonly isType: boolean }[];
  /** `file name` of all that it takes from others; `file *` for everything. */
  readonly imports: readonly string[];
}

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(?:tsx?|mjs)$/.test(file))
    .map((file) => join(folder, file));
}

/** The source behind a path that a file imports; scripts import what is built. */
function sourceOf(file: string, path: string): string {
  return relative(root, join(root, dirname(file), path))
    .replace(/^dist\//, 'src/')
    .replace(/\.js$/, '.ts');
}

function read(file: string): Module {
  const tree = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), {
    languageVersion: ts.ScriptTarget.Latest,
  });
  const exports: { name: string; isType: boolean }[] = [];
  const imports: string[] = [];
  const take = (path: ts.Node, names: readonly string[]) => {
    if (!ts.isStringLiteral(path) || !path.text.startsWith('.')) return;
    for (const name of names) imports.push(`${sourceOf(file, path.text)} ${name}`);
  };
  const namesOf = (list: ts.NodeArray<ts.ImportSpecifier | ts.ExportSpecifier>) =>
    list.map(({ name, propertyName }) => (propertyName ?? name).text);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings;
      const names = bindings && ts.isNamedImports(bindings) ? namesOf(bindings.elements) : ['*'];
      take(node.moduleSpecifier, names);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      const { exportClause } = node;
      const isNamed = exportClause && ts.isNamedExports(exportClause);
      take(node.moduleSpecifier, isNamed ? namesOf(exportClause.elements) : ['*']);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      take(node.argument.literal, ['*']);
    } else if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      node.arguments[0]
    ) {
      take(node.arguments[0], ['*']);
    }
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(tree, visit);
  for (const statement of tree.statements) {
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    if (!modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue;
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) {
        if (ts.isIdentifier(name)) exports.push({ name: name.text, isType: false });
      }
    } else if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement)
    ) {
      const isType = !ts.isFunctionDeclaration(statement);
      if (statement.name) exports.push({ name: statement.name.text, isType });
    }
  }
  return { file, exports, imports };
}

/** What comes more than once, with the places. */
function repeated(all: readonly (readonly [name: string, place: string])[]): string[] {
  const places = new Map<string, string[]>();
  for (const [name, place] of all) places.set(name, [...(places.get(name) ?? []), place]);
  return [...places]
    .filter(([, found]) => found.length > 1)
    .map(([name, found]) => `${name}: ${found.join(', ')}`);
}

const source = filesIn('src').map(read);
const tests = [...filesIn('test'), ...filesIn('scripts')].map(read);
/** Imported by a path that is made at run time. */
const exempt = ['src/base/native/native-addon.ts loadPrebuiltAddon'];

describe('the source', () => {
  it('has no two files of the same name', () => {
    expect(repeated(source.map(({ file }) => [basename(file), file]))).toEqual([]);
  });

  it('has no two exported types of the same name', () => {
    const types = source.flatMap(({ file, exports }) =>
      exports.filter(({ isType }) => isType).map(({ name }) => [name, file] as const),
    );
    expect(repeated(types)).toEqual([]);
  });

  it('exports only what another file imports', () => {
    const bySource = new Set(source.flatMap(({ imports }) => imports));
    const byTests = new Set(tests.flatMap(({ imports }) => imports));
    const isIn = (imports: ReadonlySet<string>) => (one: string) =>
      imports.has(one) || imports.has(one.replace(/ .*/, ' *'));
    const unused = source
      .flatMap(({ file, exports }) => exports.map(({ name }) => `${file} ${name}`))
      .filter((one) => !isIn(bySource)(one) && !isIn(new Set(exempt))(one));
    const forTests = unused.filter(isIn(byTests));
    process.stderr.write(`${forTests.length} exports of src are imported by tests alone\n`);
    expect(unused.filter((one) => !forTests.includes(one))).toEqual([]);
  });
});
