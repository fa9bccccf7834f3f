import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const textOf = (file: string) => readFileSync(join(root, file), 'utf8');
const sources = filesUnder('src').filter((file) => file.endsWith('.ts'));

/** From the outermost to the innermost: imports go from left to right. */
const order: readonly string[] = [
  'http',
  'control',
  'plugin',
  'server',
  'auth',
  'transport',
  'audio',
  'protocol',
];
/** What ties the layers together. */
const outermost = new Set([
  'main.ts',
  'command.ts',
  'serve.ts',
  'daemon',
  'doctor',
  'index.ts',
  'library',
  'application.ts',
  'wiring',
  'cli.ts',
  'discovery',
  'metrics',
  'probe',
]);
const forAnyone = new Set([
  'adopt-socket.ts',
  'errors.ts',
  'foreign-text.ts',
  'clock.ts',
  'logger.ts',
  'nearest-word.ts',
  'secrets.ts',
  'version.ts',
]);

/** Imports that the order does not cover, with the only folders or files that may do them. */
const exceptions: ReadonlyMap<string, readonly string[]> = new Map([
  [
    'config',
    [
      'command.ts',
      'serve.ts',
      'application.ts',
      'cli.ts',
      'config',
      'doctor',
      'library',
      'probe',
      'wiring',
    ],
  ],
  ['command.ts', ['main.ts']],
  ['process-ending.ts', ['main.ts', 'command.ts', 'serve.ts']],
  ['cli.ts', ['command.ts', 'serve.ts', 'daemon']],
  ['serve.ts', ['command.ts']],
  ['daemon', ['serve.ts', 'daemon', 'doctor']],
  ['doctor', ['command.ts', 'doctor']],
  ['log.ts', ['serve.ts', 'library']],
  // The settings of the log are checked by the rules of the log.
  ['log', ['log.ts', 'log', 'config']],
  ['application.ts', ['serve.ts', 'library']],
  ['library', ['index.ts', 'library']],
  ['wiring', ['command.ts', 'serve.ts', 'application.ts', 'wiring', 'doctor']],
  ['metrics', ['application.ts', 'metrics']],
  ['discovery', ['application.ts', 'wiring', 'discovery', 'doctor']],
  ['probe', ['command.ts', 'probe', 'doctor']],
]);

/** The folder of a file below src, or its name. */
function layerOf(file: string): string {
  return relative('src', file).split('/', 1)[0] ?? '';
}

function importsOf(file: string): string[] {
  const specifiers = textOf(file).matchAll(/(?:from|import|import\()\s*'(\.[^']+)'/g);
  return [...specifiers].map(([, specifier = '']) =>
    relative(root, join(root, file, '..', specifier)),
  );
}

function mayImport(from: string, to: string): boolean {
  if (forAnyone.has(to) || from === to) return true;
  const allowed = exceptions.get(to);
  if (allowed) return allowed.includes(from);
  // The format of samples is also a setting.
  if (from === 'config') return to === 'audio';
  if (outermost.has(from)) return true;
  const outer = order.indexOf(from);
  return outer >= 0 && order.indexOf(to) > outer;
}

function faults(find: (file: string) => readonly string[]): string[] {
  return sources.flatMap((file) => find(file).map((fault) => `${file}: ${fault}`));
}

describe('the layers', () => {
  it('import only inwards', () => {
    const found = faults((file) =>
      importsOf(file).filter((target) => !mayImport(layerOf(file), layerOf(target))),
    );
    expect(found).toEqual([]);
  });

  it('import files that exist, with their ending', () => {
    const known = new Set(sources);
    expect(faults((file) => importsOf(file).filter((target) => !known.has(target)))).toEqual([]);
  });

  it('are all known here, so that a new folder gets its place', () => {
    const known = new Set([...order, ...outermost, ...forAnyone, ...exceptions.keys()]);
    const unknown = sources.map(layerOf).filter((layer) => !known.has(layer));
    expect(unknown).toEqual([]);
  });

  it.each([
    ['audio', 'transport'],
    ['protocol', 'audio'],
    ['server', 'config'],
    ['transport', 'log.ts'],
    ['clock.ts', 'server'],
    ['control', 'main.ts'],
  ])('would not let %s import %s', (from, to) => {
    expect(mayImport(from, to)).toBe(false);
  });
});

describe('the sources', () => {
  it('end the process in main.ts only', () => {
    const ends = faults((file) =>
      [...textOf(file).matchAll(/process\.(?:exit|abort)\(/g)].map(String),
    );
    expect(ends.filter((fault) => !fault.startsWith('src/main.ts'))).toEqual([]);
  });

  it('parse the JSON of others in one place, which makes texts well-formed', () => {
    const own = ['src/foreign-text.ts', 'src/version.ts', 'src/log/record-writer.ts'];
    const known = [...own, 'src/wiring/call-method.ts', 'src/doctor/server-check.ts'];
    const parses = faults((file) => textOf(file).match(/JSON\.parse\(/g) ?? []);
    expect(parses.filter((fault) => !known.some((file) => fault.startsWith(file)))).toEqual([]);
  });

  it('have no default exports', () => {
    expect(faults((file) => textOf(file).match(/^export default\b.*/gm) ?? [])).toEqual([]);
  });

  it('have no any', () => {
    const uses = /(?::|<|\bas|\||&|=)\s*any\b(?=[\s;,)>[\]|&=])/g;
    expect('let a: any; f<any>(b as any)'.match(uses)).toHaveLength(3);
    expect(faults((file) => withoutComments(textOf(file)).match(uses) ?? [])).toEqual([]);
  });

  it('inherit from nothing but errors', () => {
    const heirs = faults((file) => textOf(file).match(/\bclass \w+ extends \w+/g) ?? []);
    expect(heirs.filter((fault) => !/extends \w*Error$/.test(fault))).toEqual([]);
  });
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*/g, '');
}
