/**
 * Numbers that are the same in every run with the same seed.
 *
 * `fork` begins a sequence of its own, so that one who draws more does not shift what others draw.
 * Source: mulberry32 by Tommy Ettinger, public domain.
 */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  fork(label: number | string): Random {
    let hash = 0x811c9dc5 ^ this.#state;
    for (const letter of String(label)) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
    return new Random(hash ^ (hash >>> 15));
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `end` − 1. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('nothing to pick from');
    return list[this.below(list.length)]!;
  }

  /** One of `[thing, weight]`. */
  weighted<T>(choices: readonly (readonly [T, number])[]): T {
    const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
    let left = this.next() * total;
    for (const [thing, weight] of choices) {
      left -= weight;
      if (left < 0) return thing;
    }
    return choices[0]![0];
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at += 1) bytes[at] = this.between(0, 255);
    return bytes;
  }
}
