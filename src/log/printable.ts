/**
 * What a terminal or a log reader acts on instead of showing it: C0 and C1 control characters,
 * line separators, and the marks that turn the direction of writing.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const unprintable = /[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

const shortEscapes: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** Foreign text made safe to show on one line. */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, '0');
    return shortEscapes.get(character) ?? `\\u${code}`;
  });
}
