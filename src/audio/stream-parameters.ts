import { SourceError } from '../base/errors.ts';
import type { StreamUri } from './stream-uri.ts';

export const maxPort = 65_535;
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

/** The parameters of one address, and the log of what was made of those that are not right. */
export interface StreamParameters {
  readonly uri: StreamUri;
  readonly warn: (sentence: string) => void;
}

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
  const word = words.find((known) => known.toLowerCase() === text.toLowerCase());
  if (word === undefined) throw badParameter(uri, key, `write ${words.join(' or ')}`);
  return word;
}

/** The parameter `key` as yes or no; any other word is no, with a warning, as in the original. */
export function flagOf(parameters: StreamParameters, key: string, fallback: boolean): boolean {
  const text = textOf(parameters.uri, key);
  if (text === undefined) return fallback;
  const flag = flags.get(text.toLowerCase());
  if (flag !== undefined) return flag;
  parameters.warn(`${key}=${text} is taken as false: write true or false`);
  return false;
}

export interface NumberRange {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
  /** What is used instead of a number below `min`; absent: `min`. */
  readonly insteadOfLess?: number;
}

/**
 * The parameter `key` as a decimal number. As in the original, what follows the number does not
 * count, and what is out of range becomes the nearest that is allowed: a stream with `20ms` or `0`
 * plays, and a warning names the value that is used.
 *
 * Failure: throws a `SourceError` that names the range when there is no number at all.
 */
export function numberOf(parameters: StreamParameters, key: string, range: NumberRange): number {
  const { fallback, min, max, unit, insteadOfLess = min } = range;
  const text = textOf(parameters.uri, key);
  if (text === undefined) return fallback;
  const [number] = /^[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)/.exec(text) ?? [];
  const advice = `write a number from ${min} to ${max}${unit ? ` ${unit}` : ''}`;
  if (number === undefined) throw badParameter(parameters.uri, key, advice);
  const said = Number(number.replace(',', '.'));
  const value = said < min ? insteadOfLess : Math.min(said, max);
  if (value !== said || !/^[+-]?\d+(\.\d+)?$/.test(text)) {
    parameters.warn(`${key}=${text} is taken as ${value}: ${advice}`);
  }
  return value;
}

/**
 * The parameter `key` as a port: one that was guessed would be another program's.
 *
 * Failure: throws a `SourceError` unless it is a whole number from 0 to 65535.
 */
export function portOf(uri: StreamUri, key: string, fallback: number): number {
  const text = textOf(uri, key);
  if (text === undefined) return fallback;
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (port <= maxPort) return port;
  throw badParameter(uri, key, `write a whole number from 0 to ${maxPort}`);
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
