import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { SourceHarness } from '../support/source-harness.ts';
import { playLines, sourcesIn } from '../support/source-lines.ts';

// Every example of docs/sources.md is heard, or says what it lacks on this machine.

const text = readFileSync(new URL('../../docs/sources.md', import.meta.url), 'utf8');

/** Sections by their headings, with the blocks that are to be pasted, lines of one block together. */
const examples = text
  .split(/^## /m)
  .slice(1)
  .flatMap((section) => {
    const heading = section.slice(0, section.indexOf('\n'));
    const blocks = [...section.matchAll(/^```ini\n([\s\S]*?)^```$/gm)];
    return blocks.map(([, block = '']) => ({ heading, lines: sourcesIn(block) }));
  });

/** What the server says that it knows. */
function knownSchemes(): readonly string[] {
  try {
    new SourceHarness('nonesuch:///');
  } catch (error) {
    return /write one of (.*)$/.exec((error as Error).message)?.[1]?.split(', ') ?? [];
  }
  return [];
}

it('has an example of every kind', () => {
  const shown = examples.flatMap(({ lines }) => lines.map((line) => line.split(':', 1)[0]));
  expect(knownSchemes().length).toBeGreaterThanOrEqual(6);
  expect(knownSchemes().filter((scheme) => !shown.includes(scheme))).toEqual([]);
});

it.for(examples)(
  '$heading: $lines.0 is heard, or says what it lacks',
  async ({ lines }, { annotate }) => {
    for (const [line, outcome] of await playLines(lines)) {
      await annotate(`${outcome.became}: ${line}`);
    }
  },
);

it('tells what is missing from what is not right', async () => {
  const line = 'process:///opt/absent/player?name=Absent';
  const outcomes = await playLines([line]);
  expect(outcomes.get(line)).toMatchObject({
    became: 'missing',
    says: expect.stringContaining('/opt/absent/player'),
  });
  await expect(playLines(['tone:///?nam=Nameless'])).rejects.toThrow('makes no stream');
});
