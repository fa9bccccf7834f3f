/** Deeper values cannot be relied upon to be written again: `JSON.stringify` is recursive. */
const maxUnknownDepth = 64;
/** Where something is wrong is told for so many places; all are counted. */
const maxListedFaults = 5;

export type JsonObject = Readonly<Record<string, unknown>>;

/** What was wrong in a file without making it useless. */
export class FieldFaults {
  readonly listed: string[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(fault: string): void {
    this.#count += 1;
    if (this.listed.length < maxListedFaults) this.listed.push(fault);
  }
}

/**
 * Reads the fields of an object that other programs wrote: what is missing gets its default, what
 * is of the wrong type too but counts as a fault, and what no caller asked for is kept as it is.
 */
export class JsonFields {
  readonly #json: JsonObject;
  readonly #place: string;
  readonly #faults: FieldFaults;
  readonly #children = new Map<string, JsonFields>();
  readonly #known = new Set(['__proto__']);

  /** `place` says where in the file, for people: `Groups[0].clients[3]`. */
  constructor(json: JsonObject, place: string, faults: FieldFaults) {
    this.#json = json;
    this.#place = place;
    this.#faults = faults;
  }

  text(key: string): string {
    const value = this.#take(key) ?? '';
    if (typeof value === 'string') return value;
    return this.#wrong(key, 'is not a string') ?? '';
  }

  flag(key: string): boolean {
    const value = this.#take(key) ?? false;
    if (typeof value === 'boolean') return value;
    return this.#wrong(key, 'is neither true nor false') ?? false;
  }

  /** A fraction is rounded, and a number beyond the range becomes the nearest one within. */
  integer(key: string, range: { min: number; max: number; fallback: number }): number {
    const { min, max, fallback } = range;
    const value = this.#take(key) ?? fallback;
    if (typeof value === 'number') return Math.max(min, Math.min(max, Math.round(value) + 0));
    return this.#wrong(key, 'is not a number') ?? fallback;
  }

  object(key: string): JsonFields {
    const value = this.#take(key) ?? {};
    const json = isObject(value) ? value : (this.#wrong(key, 'is not an object') ?? {});
    const child = new JsonFields(json, this.#placeOf(key), this.#faults);
    this.#children.set(key, child);
    return child;
  }

  /** The objects in a list; everything else in it counts as a fault. */
  objects(key: string): JsonFields[] {
    const value = this.#take(key) ?? [];
    const list: readonly unknown[] = Array.isArray(value)
      ? value
      : (this.#wrong(key, 'is not a list') ?? []);
    return list.flatMap((json, index) => {
      const place = `${this.#placeOf(key)}[${index}]`;
      if (isObject(json)) return new JsonFields(json, place, this.#faults);
      this.#faults.add(`${place} is not an object`);
      return [];
    });
  }

  /** Counts a fault of this object as a whole. */
  fault(what: string): void {
    this.#faults.add(`${this.#place} ${what}`);
  }

  /** What no caller asked for, in the shape of the file: with the rest of the objects inside. */
  rest(): JsonObject {
    const own = Object.entries(this.#json).filter(
      ([key, value]) => !this.#known.has(key) && this.#isFlat(key, value),
    );
    const nested = [...this.#children]
      .map(([key, child]) => [key, child.rest()] as const)
      .filter(([, rest]) => Object.keys(rest).length > 0);
    return Object.fromEntries([...own, ...nested]);
  }

  /** Null counts as missing: some JSON libraries write it for what is empty. */
  #take(key: string): unknown {
    this.#known.add(key);
    return Object.hasOwn(this.#json, key) ? this.#json[key] : undefined;
  }

  #isFlat(key: string, value: unknown): boolean {
    const isFlat = !isDeeperThan(value, maxUnknownDepth);
    if (!isFlat) this.#wrong(key, 'is nested too deeply and is left out');
    return isFlat;
  }

  #wrong(key: string, what: string): undefined {
    this.#faults.add(`${this.#placeOf(key)} ${what}`);
  }

  #placeOf(key: string): string {
    return this.#place ? `${this.#place}.${key}` : key;
  }
}

/** Neither null nor a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}
