import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const folder = fileURLToPath(new URL('../../../src/web/style', import.meta.url));
/** Of the whole page; the others are loaded with a place, and stay when one goes to another. */
const common = 'main.css';

/** Those of all rules, each without what is beside it. */
function selectorsOf(sheet: string): readonly string[] {
  const text = readFileSync(join(folder, sheet), 'utf8')
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/@keyframes \w+ \{(?:[^{}]*\{[^{}]*\})*\s*\}/g, '');
  return [...text.matchAll(/([^{};]+)\{/g)]
    .map(([, selector = '']) => selector.trim())
    .filter((selector) => !selector.startsWith('@'))
    .flatMap((selector) => selector.split(/,(?![^(]*\))/))
    .map((selector) => selector.trim());
}

function classesIn(selector: string): readonly string[] {
  return [...selector.matchAll(/\.([a-z][\w-]*)/gi)].map(([, name = '']) => name);
}

it('what the style of one place says holds in that place alone', () => {
  const sheets = readdirSync(folder);
  expect(sheets).toContain(common);
  const used = new Map(
    sheets.map((sheet) => [sheet, new Set(selectorsOf(sheet).flatMap(classesIn))]),
  );
  const isOwn = (name: string, sheet: string) =>
    sheets.every((other) => other === sheet || !used.get(other)?.has(name));
  const strays = sheets
    .filter((sheet) => sheet !== common)
    .flatMap((sheet) =>
      selectorsOf(sheet)
        .filter((selector) => !classesIn(selector).some((name) => isOwn(name, sheet)))
        .map((selector) => `${sheet}: ${selector}`),
    );
  expect(strays).toEqual([]);
});
