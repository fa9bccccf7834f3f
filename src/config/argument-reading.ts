import type { Assignment } from './ini-text.ts';
import { quoted } from './report.ts';

/** The arguments, and what was understood of them so far. */
export class Reading {
  readonly #argv: readonly string[];
  /** Options without a dot, each with what it does. */
  readonly readers: ReadonlyMap<string, Reader>;
  #next = 0;
  readonly overrides: Assignment[] = [];
  readonly warnings: string[] = [];
  readonly faults: string[] = [];
  configFile: string | undefined;
  helpCount = 0;
  wantsVersion = false;
  /** Options without a value. */
  readonly flags = new Set<string>();
  name: string | undefined;
  hours: number | undefined;
  days: number | undefined;
  daemon: { readonly priority: number } | undefined;

  /** Start scripts may have options of other servers; what a person types must be right. */
  readonly #isLenient: boolean;

  constructor(
    argv: readonly string[],
    readers: ReadonlyMap<string, Reader>,
    { isLenient = false } = {},
  ) {
    this.#argv = argv;
    this.readers = readers;
    this.#isLenient = isLenient;
  }

  hasNext(): boolean {
    return this.#next < this.#argv.length;
  }

  take(): string {
    return this.#argv[this.#next++] ?? '';
  }

  /** The next argument, unless it is an option itself; numbers such as -1 are values. */
  takeValue(): string | undefined {
    const next = this.#argv[this.#next];
    if (next === undefined || /^-\D/.test(next)) return undefined;
    this.#next += 1;
    return next;
  }

  /** Takes note of what is not understood: a warning or a fault. */
  ignore(what: string, why: string): void {
    if (this.#isLenient) this.warnings.push(`${what} is ignored${why}`);
    else this.faults.push(`${what} is not understood${why}`);
  }
}

export interface Argument {
  /** As it was written, without its value: `--config`, `-c`, `--stream.codec`. */
  readonly option: string;
  /** What was attached to it: `--config=X`, `-cX`. */
  readonly attached: string | undefined;
}

export type Reader = (argument: Argument, reading: Reading) => void;

/** Nothing for what is no option at all. */
export function splitArgument(text: string): Argument | undefined {
  const [, long, longValue] = /^(--[^=]+)(?:=(.*))?$/s.exec(text) ?? [];
  if (long) return { option: long, attached: longValue };
  const [, short, shortValue] = /^(-[a-z])(.+)?$/is.exec(text) ?? [];
  return short ? { option: short, attached: shortValue } : undefined;
}

/** The value of an option; without one, a fault. */
export function takeValueOf(
  { option, attached }: Argument,
  what: string,
  reading: Reading,
): string | undefined {
  const value = attached ?? reading.takeValue();
  if (value === undefined) {
    const example = option.startsWith('--') ? `${option}=...` : `${option} ...`;
    reading.faults.push(`option ${quoted(option)} needs ${what}: ${example}`);
  }
  return value;
}
