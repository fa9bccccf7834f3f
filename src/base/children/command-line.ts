import { SourceError } from '../errors.ts';

/**
 * Splits a command line into arguments; no shell is involved.
 *
 * Shape: blanks separate; double quotes group, with `\"` and `\\` inside; single quotes group at
 * the beginning of a word only, so that an apostrophe within one is just that.
 * Failure: throws a `SourceError` when a quote is not closed.
 */
export function splitCommandLine(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  let quoteAt = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    const next = text.charAt(at + 1);
    if (quote === '"' && character === '\\' && (next === '"' || next === '\\')) {
      word += next;
      at += 1;
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word += character;
    } else if (character === '"' || (character === "'" && word === undefined)) {
      quote = character;
      quoteAt = at;
      word ??= '';
    } else if (character.trim() === '') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== '') {
    // The text itself is not shown: it may hold secrets.
    throw new SourceError(
      'unclosed-quote',
      `the quote (${quote}) at character ${quoteAt + 1} of its parameters is not closed: ` +
        'close it, or leave it away',
    );
  }
  return word === undefined ? words : [...words, word];
}

/** One argument as `splitCommandLine` reads it back. */
export function quoteWord(word: string): string {
  return /^[^\s"']+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}
