import { SourceError } from '../errors.ts';
import type { StreamUri } from './stream-uri.ts';

const flags: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['yes', true],
  ['on', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['off', false],
  ['0', false],
]);

/** The parameter `key` as it stands; `undefined` when the address lacks it or leaves it empty. */
export function textOf({ query }: StreamUri, key: string): string | undefined {
  return query[key] || undefined;
}

/**
 * The parameter `key` as one of a few words; the first word is the default.
 *
 * Failure: throws a `SourceError` that names the words.
 */
export function choiceOf<Word extends string>(
  uri: StreamUri,
  key: string,
  words: readonly [Word, ...Word[]],
): Word {
  const text = textOf(uri, key);
  if (text === undefined) return words[0];
  const word = words.find((known) => known === text.toLowerCase());
  if (word === undefined) throw badParameter(uri, key, `write ${words.join(' or ')}`);
  return word;
}

/** The parameter `key` as yes or no. Failure: throws a `SourceError` that says how to write it. */
export function flagOf(uri: StreamUri, key: string, fallback: boolean): boolean {
  const text = textOf(uri, key);
  if (text === undefined) return fallback;
  const flag = flags.get(text.toLowerCase());
  if (flag === undefined) throw badParameter(uri, key, 'write true or false');
  return flag;
}

export interface NumberRange {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
  readonly isWhole?: boolean;
}

/**
 * The parameter `key` as a plain decimal number.
 *
 * Failure: throws a `SourceError` that names the range.
 */
export function numberOf(uri: StreamUri, key: string, range: NumberRange): number {
  const text = textOf(uri, key);
  if (text === undefined) return range.fallback;
  const value = /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const isInRange = value >= range.min && value <= range.max;
  if (!isInRange || (range.isWhole && !Number.isInteger(value))) {
    const kind = range.isWhole ? 'a whole number' : 'a number';
    const unit = range.unit ? ` ${range.unit}` : '';
    throw badParameter(uri, key, `write ${kind} from ${range.min} to ${range.max}${unit}`);
  }
  return value;
}

/** The fault of a parameter; `advice` says what is allowed. */
export function badParameter(
  { query }: StreamUri,
  key: string,
  advice: string,
  cause?: unknown,
): SourceError {
  return new SourceError(
    'bad-parameter',
    `stream "${query.name ?? ''}": ${key}=${query[key]} cannot be used: ${advice}`,
    { cause },
  );
}
