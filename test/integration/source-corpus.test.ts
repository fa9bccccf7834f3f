import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { playLines, sourcesIn } from '../support/source-lines.ts';

// Every source of the configurations that were collected, and of the documents but docs/sources.md, which
// has its own test: each is heard, waits for its producer, or says what this machine lacks.

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const filesIn = (folder: string, ending: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(ending) && name !== 'sources.md')
    .map((name) => `${folder}/${name}`);

/** Lines that are commented out are there to be used. */
function linesOf(file: string): readonly string[] {
  const text = read(file).replace(/^\s*#\s*(?=(?:source|stream)\s*=)/gm, '');
  const fenced = [...text.matchAll(/^```ini\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  const lines = sourcesIn(file.endsWith('.md') ? fenced.join('\n') : text);
  return lines.filter((line) => line.includes('://'));
}

const corpus = [
  ...filesIn('test/support/conf', '.conf'),
  ...filesIn('config', '.conf'),
  ...filesIn('docs', '.md'),
  'README.md',
]
  .map((file) => ({ file, lines: linesOf(file) }))
  .filter(({ lines }) => lines.length > 0);

let folder: string;

beforeEach(() => {
  folder = makeScratchFolder();
  // Whatever sound servers this machine has, none of them is found.
  vi.stubEnv('XDG_RUNTIME_DIR', folder);
  vi.stubEnv('PIPEWIRE_RUNTIME_DIR', folder);
  vi.stubEnv('JACK_NO_START_SERVER', '1');
  vi.stubEnv('DBUS_SYSTEM_BUS_ADDRESS', `unix:path=${join(folder, 'no-bus')}`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  removeScratchFolder(folder);
});

it('is no small corpus', () => {
  expect(corpus.length).toBeGreaterThanOrEqual(6);
  expect(corpus.flatMap(({ lines }) => lines).length).toBeGreaterThan(25);
});

it.for(corpus)(
  'the sources of $file play or say what they lack',
  async ({ lines }, { annotate }) => {
    // A second one of the same name would be left out.
    const names = lines.map((line) => /[?&]name=([^&]*)/.exec(line)?.[1]);
    expect(names).not.toContain(undefined);
    for (const [line, outcome] of await playLines(lines)) {
      await annotate(`${outcome.became}: ${line}`);
    }
  },
);
