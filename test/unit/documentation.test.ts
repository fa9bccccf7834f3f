import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { rows } from '../../src/config/schema.ts';
import { allMethods } from '../../src/control/methods/all-methods.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

/** Paths from the root. */
function filesUnder(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const topics = filesUnder('docs');
const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...topics];

/** Headings and prose, without what stands in fences. */
function proseOf(text: string): string {
  return text.replace(/^ *```[\s\S]*?^ *```$/gm, '');
}

function headingsOf(text: string): readonly string[] {
  return [...proseOf(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
}

/** As forges make an anchor of a heading. */
function anchorOf(heading: string): string {
  const kept = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
  return kept.replace(/\s/g, '-');
}

function linksIn(text: string): readonly string[] {
  return [...proseOf(text).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = '']) => target);
}

const topFolders = ['src', 'test', 'native', 'scripts', 'config'];

/** Paths from the root, and names of source files alone. */
function fileNamesIn(file: string): readonly { readonly file: string; readonly name: string }[] {
  const paths = /`((?:src|test|native|scripts|config)\/[\w./-]+|[\w/-]+\.(?:ts|mjs|hpp|cpp))`/g;
  return [...read(file).matchAll(paths)].map(([, name = '']) => ({ file, name }));
}

/** Why a link leads nowhere; `undefined` when it leads somewhere, or to elsewhere in the network. */
function faultOf(link: string, from: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined;
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? from : join(dirname(from), path);
  if (!existsSync(join(root, target))) return `${from}: ${link}: there is no such file`;
  if (anchor === undefined) return undefined;
  const isThere = headingsOf(read(target)).some((heading) => anchorOf(heading) === anchor);
  return isThere ? undefined : `${from}: ${link}: there is no such heading`;
}

describe('the documents', () => {
  it('have links that lead somewhere', () => {
    const links = documents.flatMap((file) => linksIn(read(file)).map((link) => ({ file, link })));
    expect(links.length).toBeGreaterThan(20);
    expect(links.map(({ file, link }) => faultOf(link, file)).filter(Boolean)).toEqual([]);
  });

  it('are all found from README', () => {
    const linked = linksIn(read('README.md'));
    expect(documents.filter((file) => file !== 'README.md' && !linked.includes(file))).toEqual([]);
  });

  it.each([
    ['README.md', 200],
    ['ARCHITECTURE.md', 260],
  ])('are short where everybody reads: %s', (file, lines) => {
    expect(read(file).trimEnd().split('\n').length).toBeLessThanOrEqual(lines);
  });

  it('name files that exist', () => {
    const files = [...topFolders, 'docs'].flatMap(filesUnder);
    const names = documents.filter((file) => file !== 'CHANGELOG.md').flatMap(fileNamesIn);
    const missing = names.filter(({ name }) =>
      topFolders.includes(name.split('/', 1)[0] ?? '')
        ? !existsSync(join(root, name))
        : !files.some((path) => path.endsWith(`/${name}`)),
    );
    expect(missing).toEqual([]);
    expect(names.length).toBeGreaterThan(80);
  });

  it('name types and messages that exist', () => {
    const code = [...filesUnder('src'), ...filesUnder('native/core')].map(read).join('\n');
    const known = new Set(code.match(/\b[A-Z]\w+\b/g));
    const named = ['ARCHITECTURE.md', 'docs/decisions.md', 'docs/performance.md'].flatMap((file) =>
      [...read(file).matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)*)(?:\.[a-z]\w*)?`/g)].map(
        ([, name = '']) => name,
      ),
    );
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !known.has(name) && !(name in globalThis))).toEqual([]);
  });

  it('name constants that exist', () => {
    const code = [...filesUnder('src'), ...filesUnder('native/core')].map(read).join('\n');
    const limits = read('docs/limits.md');
    const table = limits.slice(limits.indexOf('## Constants'));
    const names = [...table.matchAll(/`([a-z]+[A-Z]\w*)`/g)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(80);
    expect(names.filter((name) => !code.includes(name))).toEqual([]);
  });

  it('tell of every setting that is a limit', () => {
    const limits = rows.filter(({ section }) => section === 'limits').map(({ key }) => key);
    const text = read('docs/limits.md');
    expect(limits.length).toBeGreaterThan(10);
    expect(limits.filter((key) => !text.includes(key))).toEqual([]);
  });

  it('name every figure of /metrics', () => {
    const sources = filesUnder('src/figures').map(read).join('\n');
    const names = [...sources.matchAll(/'((?:zerocast_)?[a-z_]+_(?:total|ppm|bytes))'/g)];
    expect(names.length).toBeGreaterThan(25);
    const text = read('docs/metrics.md');
    const bare = names.map(([, name = '']) => `zerocast_${name.replace(/^zerocast_/, '')}`);
    expect(bare.filter((name) => !text.includes(name))).toEqual([]);
  });

  it.each([
    ['absent.md', 'no such file'],
    ['README.md#no-such-thing', 'no such heading'],
    ['#no-such-thing', 'no such heading'],
  ])('would not have the link %s', (link, fault) => {
    expect(faultOf(link, 'README.md')).toContain(fault);
  });
});

const citing = topFolders
  .flatMap(filesUnder)
  .filter((file) => /\.(ts|mts|mjs|cpp|hpp|h|js|conf)$/.test(file))
  .filter((file) => !file.endsWith('documentation.test.ts'));

/** A comment in one line: citations are broken where the line ends. */
function withoutBreaks(text: string): string {
  return text.replace(/\s*\n\s*(?:\*(?!\/)|\/\/)?\s*/g, ' ');
}

/** The sections that a text cites: `6.2`, `5.2 to 5.4 and 8.2`, `appendix C`, `"Which clock"`. */
function citedIn(text: string): readonly string[] {
  const pattern =
    /protocol reference(?:, (?:sections? )?(\d[\d.]*(?:(?:,| to| and| or) \d[\d.]*)*)|, appendix ([A-Z])|, "([^"]+)")?/gi;
  return [...withoutBreaks(text).matchAll(pattern)].flatMap(
    ([whole, numbers, appendix, heading]) => {
      if (numbers !== undefined) return numbers.match(/\d+(?:\.\d+)?/g) ?? [];
      return [appendix ?? heading ?? `nothing: ${whole}`];
    },
  );
}

/** What can be cited: number or letter of a section, or its heading. */
function sectionsOf(text: string): ReadonlySet<string> {
  return new Set(
    headingsOf(text).flatMap((heading) => {
      const [, mark = heading, name = heading] = /^(\d+(?:\.\d+)?|[A-Z]) (.+)$/.exec(heading) ?? [];
      return [mark, name];
    }),
  );
}

describe('the protocol reference', () => {
  const sections = sectionsOf(read('docs/protocol.md'));

  it('has every section that the code cites', () => {
    const cited = citing.flatMap((file) => citedIn(read(file)).map((at) => ({ file, at })));
    expect(cited.length).toBeGreaterThan(90);
    const missing = cited.filter(({ at }) => !sections.has(at));
    expect(missing).toEqual([]);
  });

  it('has every method', () => {
    const text = read('docs/protocol.md');
    expect(allMethods.filter(({ name }) => !text.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it('has its sections in order, each once', () => {
    const numbers = [...sections].filter((section) => /^\d+(\.\d+)?$/.test(section)).map(inOrder);
    expect(numbers.length).toBeGreaterThan(40);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it.each([
    ['// Source: protocol reference, 5.2 to 5.4 and 8.2.', ['5.2', '5.4', '8.2']],
    ['/**\n * Source: protocol\n * reference, sections 2 and 3.\n */', ['2', '3']],
    ['// Protocol reference, appendix A, with', ['A']],
    ['(protocol reference, "Which clock")', ['Which clock']],
    ['// as the protocol reference says', ['nothing: protocol reference']],
  ])('is cited by %j', (text, expected) => {
    expect(citedIn(text)).toEqual(expected);
  });
});

function inOrder(section: string): number {
  const [chapter = 0, part = 0] = section.split('.').map(Number);
  return chapter * 100 + part;
}
