/** Names longer than this are compared by their beginning only, so the work stays bounded. */
const maxComparedCharacters = 64;
/** A slip changes no more than this share of the letters. */
const slipShare = 1 / 3;
/** Shorter words are in many others. */
const minPartLength = 3;

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

/** The word that may be meant: one with `word` in it, or one that is a slip away; of equals the first. */
export function likelyWord(word: string, known: readonly string[]): string | undefined {
  const part = word.toLowerCase();
  const whole = part.length < minPartLength ? undefined : known.find((one) => one.includes(part));
  if (whole !== undefined) return whole;
  const nearest = nearestWord(word, known);
  const maxSlips = Math.max(1, Math.round(nearest.length * slipShare));
  // Letters that have changed places are one slip, too.
  const slips = editDistance(word, nearest) - (lettersOf(word) === lettersOf(nearest) ? 1 : 0);
  return slips <= maxSlips ? nearest : undefined;
}

function lettersOf(word: string): string {
  return [...word.toLowerCase()].sort().join('');
}

/** The item with the smallest distance; of equals the first. */
export function nearestBy<Item extends NonNullable<unknown>>(
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
