import { existsSync, readdirSync, readFileSync } from 'node:fs';
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
const sources = filesUnder('src').filter((file) => /\.tsx?$/.test(file));

/** From the outermost to the innermost; a file imports from its own layer and from those after it. */
const order: readonly string[] = [
  'web',
  'main.ts',
  'command.ts',
  'index.ts',
  'doctor',
  'probe',
  'embed',
  'app',
  'http',
  'live',
  'observing',
  'figures',
  'control',
  'announcements',
  'hooks',
  'players',
  'streams',
  'edge',
  'clips',
  'clients',
  'config',
  'transport',
  'taps',
  'metering',
  'audio',
  'dsp',
  'certificates',
  'auth',
  'discovery',
  'log',
  'protocol',
  'base',
];

/** The folder of a file below src, or its name. */
function layerOf(file: string): string {
  return relative('src', file).split('/', 1)[0] ?? '';
}

/** Also those of types alone, and those that are made at run time. */
function importsOf(file: string): string[] {
  const specifiers = textOf(file).matchAll(/(?:from|import|import\()\s*'(\.[^']+)(?<!\.css)'/g);
  return [...specifiers].map(([, specifier = '']) =>
    relative(root, join(root, file, '..', specifier)),
  );
}

const imports: ReadonlyMap<string, readonly string[]> = new Map(
  sources.map((file) => [file, importsOf(file)]),
);

/** What is loaded with a file: neither types nor what is imported at run time. */
function loadedWith(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  const text = textOf(file).replace(/^(?:import|export) type [^;]*;/gm, '');
  for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*'(\.[^']+)'/g)) {
    loadedWith(relative(root, join(root, file, '..', specifier)), found);
  }
  return found;
}

function mayImport(from: string, to: string): boolean {
  return order.indexOf(from) <= order.indexOf(to);
}

function faults(find: (file: string) => readonly string[]): string[] {
  return sources.flatMap((file) => find(file).map((fault) => `${file}: ${fault}`));
}

/** A circle of imports, from a file to itself. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const target of graph.get(file) ?? []) {
      const circle = visit(target, [...path, file]);
      if (circle) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = visit(file, []);
    if (circle) return circle;
  }
  return undefined;
}

describe('the layers', () => {
  it('import only inwards', () => {
    const found = faults((file) =>
      importsOf(file).filter((target) => !mayImport(layerOf(file), layerOf(target))),
    );
    expect(found).toEqual([]);
  });

  it('of the web page need nothing that a browser has not', () => {
    const shared =
      /^src\/(?:web|protocol|observing\/sync-message|metering\/meter-frame|dsp\/mel-scale|audio\/decoders|audio\/sample-conversion)/;
    const found = sources
      .filter((file) => layerOf(file) === 'web')
      .flatMap((file) =>
        importsOf(file).filter((target) => /\.tsx?$/.test(target) && !shared.test(target)),
      );
    expect(found).toEqual([]);
  });

  it('import files that exist, with their ending', () => {
    const isThere = (target: string) =>
      imports.has(target) || (target.endsWith('.css') && existsSync(join(root, target)));
    expect(faults((file) => importsOf(file).filter((target) => !isThere(target)))).toEqual([]);
  });

  it('are all known here, so that a new folder gets its place', () => {
    expect(new Set(sources.map(layerOf))).toEqual(new Set(order));
  });

  it('have no circle of files', () => {
    expect(circleIn(imports)).toBeUndefined();
  });

  it('would see a circle', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['d', 'b']],
      ['d', []],
    ]);
    expect(circleIn(graph)).toEqual(['b', 'c', 'b']);
  });

  it('load arithmetic on samples only when it is used', () => {
    const loaded = loadedWith('src/app/serve.ts');
    expect(loaded.size).toBeGreaterThan(150);
    expect([...loaded].filter((file) => layerOf(file) === 'dsp')).toEqual([]);
    expect(loadedWith('src/dsp/dsp.ts')).not.toContain('src/dsp/script-kernels.ts');
  });

  it('load meters and taps only when a stream is watched or tapped', () => {
    for (const file of [
      'src/app/serve.ts',
      'src/http/http-server.ts',
      'src/figures/server-metrics.ts',
    ]) {
      const loaded = [...loadedWith(file)];
      const found = loaded.filter((path) => ['metering', 'taps', 'dsp'].includes(layerOf(path)));
      // Its error alone, by which a refusal is known.
      expect(found.filter((path) => path !== 'src/taps/tap-error.ts')).toEqual([]);
    }
  });

  it('share in base only what two of them need', () => {
    const users = new Map<string, Set<string>>();
    for (const [file, targets] of imports) {
      for (const target of targets.filter((path) => layerOf(path) === 'base')) {
        users.set(target, (users.get(target) ?? new Set()).add(layerOf(file)));
      }
    }
    const single = [...users].filter(([, layers]) => layers.size < 2 && !layers.has('base'));
    expect(single.map(([file, layers]) => `${file}: ${[...layers]}`)).toEqual([]);
  });

  it.each([
    ['audio', 'transport'],
    ['protocol', 'audio'],
    ['players', 'app'],
    ['transport', 'config'],
    ['base', 'log'],
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
    const own = ['foreign-text', 'readable-stack', 'version'].map((name) => `src/base/${name}.ts`);
    const page = [
      'control/control-link',
      'control/login',
      'live/live-link',
      'player/stream-wire',
      'announce/upload',
      // What the browser itself remembers.
      'player/output-device',
    ].map((name) => `web/${name}`);
    const more = ['log/record-writer', 'app/call-method', 'doctor/server-check', ...page];
    const known = [...own, ...more.map((name) => `src/${name}.ts`)];
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
