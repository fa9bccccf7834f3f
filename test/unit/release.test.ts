import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { packageVersion } from '../../src/base/version.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const lock: Lock = JSON.parse(read('package-lock.json'));

interface Lock {
  readonly version: string;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Licences that ask for nothing but their own text. */
const free = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
]);

/** Whether a licence expression can be met with free licences alone. */
function isFree(expression: string): boolean {
  const alternatives = expression.replaceAll(/[()]/g, '').split(' OR ');
  return alternatives.some((text) => text.split(' AND ').every((name) => free.has(name.trim())));
}

describe('the version', () => {
  it('is a semantic one, the same everywhere', () => {
    expect(packageVersion).toMatch(/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[\w.-]+)?$/);
    expect(lock.version).toBe(packageVersion);
    expect(lock.packages['']?.version).toBe(packageVersion);
  });

  it('has the first section of the changelog', () => {
    const section = /^## \[?(.+?)\]?(?: .*)?$/m.exec(read('CHANGELOG.md'));
    expect(section?.[1]).toBe(packageVersion);
  });
});

describe('the packages that are installed with a release', () => {
  const installed = Object.entries(lock.packages).filter(
    ([path, entry]) => path !== '' && !entry.dev,
  );

  it('may be used by anybody', () => {
    const offenders = installed
      .map(([path, entry]) => [path, licenceOf(path, entry)] as const)
      .filter(([, licence]) => !isFree(licence))
      .map(([path, licence]) => `${path}: ${licence}`);
    expect(offenders).toEqual([]);
    expect(installed.length).toBeGreaterThan(20);
  });

  it('may be used by anybody, also those that its program holds', () => {
    const offenders = bundledPaths()
      .map((path) => [path, licenceOf(path, lock.packages[path]!)] as const)
      .filter(([, licence]) => !isFree(licence))
      .map(([path, licence]) => `${path}: ${licence}`);
    expect(offenders).toEqual([]);
    expect(bundledPaths()).toContain('node_modules/ws');
  });

  it('are those that the manifest asks for', () => {
    const { dependencies } = JSON.parse(read('package.json'));
    expect(lock.packages['']?.dependencies).toEqual(dependencies);
    const missing = Object.keys(dependencies).filter(
      (name) => !installed.some(([path]) => path === `node_modules/${name}`),
    );
    expect(missing).toEqual([]);
  });
});

/** What the source imports, with what that needs. */
function bundledPaths(): readonly string[] {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const imported = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...read(`src/${file}`).matchAll(/(?:from|import\() ?'([a-z@][^':]*)'/g)])
    .map(([, name = '']) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0]);
  const paths = new Set(imported.map((name) => `node_modules/${name}`));
  for (const path of paths) {
    for (const name of Object.keys(lock.packages[path]?.dependencies ?? {})) {
      const nested = `${path}/node_modules/${name}`;
      paths.add(nested in lock.packages ? nested : `node_modules/${name}`);
    }
  }
  return [...paths];
}

/** What the package itself says counts, as the lock file only repeats it. */
function licenceOf(path: string, entry: LockedPackage): string {
  try {
    const { license } = JSON.parse(read(`${path}/package.json`));
    return typeof license === 'string' ? license : (license?.type ?? 'none');
  } catch (error) {
    // An optional package of another platform is not there.
    if (!entry.optional) throw error;
    return entry.license ?? 'none';
  }
}

describe('the judge of licences', () => {
  it.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['BSD-3-Clause AND MIT', true],
    ['MIT AND GPL-2.0-or-later', false],
    ['GPL-3.0', false],
    ['none', false],
    ['SEE LICENSE IN file', false],
  ])('takes %s for free: %s', (expression, verdict) => {
    expect(isFree(expression)).toBe(verdict);
  });
});
