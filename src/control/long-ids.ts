import { JsonText } from './json-text.ts';

// Inside of a JSON string the quotes would be escaped, so this finds members only.
const longIdMembers = /"id"\s*:\s*(-?\d{16,})(?![\d.eE])/g;

/** The ids of one request text that are integers too long for a number, as they were written. */
export class LongIds {
  readonly #text: string;
  #known: ReadonlyMap<number, JsonText | undefined> | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** The id as it was written; as a number where two different ids became the same one. */
  verbatim(id: number): number | JsonText {
    if (Number.isSafeInteger(id)) return id;
    // Once per text: a batch may hold very many of them.
    this.#known ??= this.#find();
    return this.#known.get(id) ?? id;
  }

  #find(): ReadonlyMap<number, JsonText | undefined> {
    const found = new Map<number, JsonText | undefined>();
    for (const [, digits = ''] of this.#text.matchAll(longIdMembers)) {
      const id = Number(digits);
      const isOther = found.has(id) && found.get(id)?.text !== digits;
      found.set(id, isOther ? undefined : new JsonText(digits));
    }
    return found;
  }
}
