import { ConfigError } from '../base/errors.ts';
import { cutText } from '../base/foreign-text.ts';
import { printable } from '../log/printable.ts';

/** A file of garbage must not become a message without end. */
const maxListed = 50;
const maxFoundCharacters = 120;

/** Collects what is wrong with a configuration, so that all of it is told at once. */
export class Report {
  readonly #faults = new BoundedList();
  readonly #warnings = new BoundedList();

  fault(origin: string, sentence: string): void {
    this.#faults.add(() => `${origin}: ${sentence}`);
  }

  /** A sentence that costs something to find is given as a function. */
  warn(origin: string, sentence: string | (() => string)): void {
    this.#warnings.add(() => `${origin}: ${typeof sentence === 'string' ? sentence : sentence()}`);
  }

  /** *Failure:* throws one `ConfigError` that lists every fault. */
  throwIfFaulty(): void {
    const { count } = this.#faults;
    if (count === 0) return;
    const heading = `the configuration has ${count === 1 ? 'a fault' : `${count} faults`}`;
    const faults = this.#faults.lines('faults');
    const lines = faults.map((fault) => `\n  ${fault}`);
    throw new ConfigError('bad-config', `${heading}:${lines.join('')}`, { faults });
  }

  get warnings(): readonly string[] {
    return this.#warnings.lines('warnings');
  }
}

class BoundedList {
  readonly #lines: string[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(line: () => string): void {
    this.#count += 1;
    if (this.#count <= maxListed) this.#lines.push(line());
  }

  lines(what: string): readonly string[] {
    const unlisted = this.#count - this.#lines.length;
    return unlisted > 0 ? [...this.#lines, `and ${unlisted} more ${what}`] : this.#lines;
  }
}

/** Foreign text as it may stand in a message: quoted, on one line, of bounded length. */
export function quoted(found: string): string {
  const cut =
    found.length > maxFoundCharacters ? `${cutText(found, maxFoundCharacters)}...` : found;
  return `"${printable(cut)}"`;
}
