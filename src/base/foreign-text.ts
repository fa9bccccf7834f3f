/**
 * Text from outside. JavaScript and JSON know texts with half of a surrogate pair; no byte sequence
 * can express them, and other programs refuse the whole JSON that has one. They come in by escapes
 * such as `\ud83c` and by cuts, so both are made here only.
 */

const loneEscape = /\\u[dD][89a-fA-F]/;
const escapes =
  /\\(?:u([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)/gs;

/** The same text with U+FFFD in place of each half of a surrogate pair; as long as before. */
export function wellFormed(text: string): string {
  return text.toWellFormed();
}

/** Whether a text stays on its line, and in its direction, where it is shown. */
export function isShowable(text: string): boolean {
  return !/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(text) && text === wellFormed(text);
}

/** The beginning of a text, well-formed: at most `maxLength` UTF-16 units, cut between code points. */
export function cutText(text: string, maxLength: number): string {
  const isInPair = (text.codePointAt(maxLength - 1) ?? 0) > 0xffff;
  return wellFormed(text.slice(0, isInPair ? maxLength - 1 : maxLength));
}

/** Parses JSON; all texts, names of members included, are well-formed. Failure: as `JSON.parse`. */
export function parseJson(text: string): unknown {
  const whole = wellFormed(text);
  return JSON.parse(loneEscape.test(whole) ? whole.replace(escapes, fixEscape) : whole);
}

/** Every escape is looked at in turn, as a backslash may itself be escaped. */
function fixEscape(found: string, pair: string | undefined): string {
  return pair === undefined && loneEscape.test(found) ? '\\ufffd' : found;
}
