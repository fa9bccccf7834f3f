import { deprecatedNames, rows } from './schema.ts';

/** Names longer than this are compared by their beginning only, so the work stays bounded. */
const maxComparedCharacters = 64;

/** The number of single-letter insertions, deletions and replacements between two words. */
export function editDistance(left: string, right: string): number {
  const from = left.slice(0, maxComparedCharacters).toLowerCase();
  const to = right.slice(0, maxComparedCharacters).toLowerCase();
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1];
    for (let column = 0; column < to.length; column++) {
      const replaced = previous[column]! + (letter === to[column] ? 0 : 1);
      current.push(Math.min(replaced, previous[column + 1]! + 1, current[column]! + 1));
    }
    previous = current;
  }
  return previous[to.length]!;
}

/** The word with the smallest distance; of equals the first. */
export function nearestWord(word: string, known: readonly string[]): string {
  return nearestBy(known, (candidate) => editDistance(word, candidate));
}

/** The known `section.key` closest to a mistyped one, judged by both halves. */
export function nearestSetting(section: string, key: string): { section: string; key: string } {
  return nearestBy(rows, (row) => editDistance(section, row.section) + editDistance(key, row.key));
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

function nearestBy<Item extends NonNullable<unknown>>(
  items: readonly Item[],
  distanceOf: (item: Item) => number,
): Item {
  let best = items[0]!;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const distance = distanceOf(item);
    if (distance < bestDistance) {
      best = item;
      bestDistance = distance;
    }
  }
  return best;
}
