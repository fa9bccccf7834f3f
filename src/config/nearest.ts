import { editDistance, nearestBy, nearestWord } from '../base/nearest-word.ts';
import { deprecatedNames, rows } from './schema.ts';

/** The `section.key` most like a mistyped one: its key elsewhere, else judged by both halves. */
export function nearestSetting(section: string, key: string): { section: string; key: string } {
  const namesakes = rows.filter((row) => row.key === key.toLowerCase());
  return nearestBy(
    namesakes.length > 0 ? namesakes : rows,
    (row) => editDistance(section, row.section) + editDistance(key, row.key),
  );
}

/** The option closest to a mistyped one: one of `options`, or a setting that lacks its section. */
export function nearestOption(option: string, options: readonly string[]): string {
  const key = option.replace(/^-+/, '');
  const row = option.startsWith('--') && rows.find((known) => known.key === key);
  return row ? `--${row.section}.${row.key}` : nearestWord(option, options);
}

export function isKnownSection(section: string): boolean {
  return knownSections.has(section);
}

const knownSections: ReadonlySet<string> = new Set([
  ...rows.map((row) => row.section),
  ...[...deprecatedNames.keys()].map((name) => name.slice(0, name.indexOf('.'))),
]);
