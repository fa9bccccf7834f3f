/** A piece of JSON that is text already: spliced in as it is instead of being built again. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Compact JSON with the keys in alphabetical order, as controllers have always seen it.
 *
 * Shape: plain objects, arrays and primitives, with `JsonText` anywhere; members that are
 * `undefined` are left out. Not for what came from outside: it calls itself for each level.
 */
export function jsonOf(value: unknown): string {
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(',')}]`;
  if (typeof value === 'object' && value !== null) return objectText(value);
  return JSON.stringify(value) ?? 'null';
}

/** `+` only notes what belongs together; `join` would copy a complete status at each level. */
function objectText(value: object): string {
  let text = '';
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, member] of members) {
    if (member === undefined) continue;
    text += `${text && ','}${JSON.stringify(key)}:`;
    text += jsonOf(member);
  }
  return `{${text}}`;
}
