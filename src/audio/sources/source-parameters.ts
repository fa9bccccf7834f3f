import { SourceError } from '../../errors.ts';
import type { SampleFormat } from '../sample-format.ts';
import type { StreamUri } from '../stream-uri.ts';
import type { SourceContext } from './stream-source.ts';

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
  const text = uri.query[key];
  if (text === undefined || text === '') return words[0];
  const word = words.find((known) => known === text.toLowerCase());
  if (word === undefined) throw badParameter(key, text, words.join(' or '));
  return word;
}

/** The parameter `key` as yes or no. Failure: throws a `SourceError` that says how to write it. */
export function flagOf(uri: StreamUri, key: string): boolean {
  const word = choiceOf(uri, key, ['false', 'true', 'no', 'yes', 'off', 'on', '0', '1']);
  return ['true', 'yes', 'on', '1'].includes(word);
}

export interface NumberRange {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
  readonly isWhole?: boolean;
}

/**
 * The parameter `key` as a decimal number.
 *
 * Failure: throws a `SourceError` that names the range.
 */
export function numberOf(uri: StreamUri, key: string, range: NumberRange): number {
  const text = uri.query[key];
  if (text === undefined || text === '') return range.fallback;
  const value = /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const isInRange = value >= range.min && value <= range.max;
  if (!isInRange || (range.isWhole && !Number.isInteger(value))) {
    const kind = range.isWhole ? 'a whole number' : 'a number';
    const unit = range.unit ? ` ${range.unit}` : '';
    throw badParameter(key, text, `${kind} from ${range.min} to ${range.max}${unit}`);
  }
  return value;
}

/** The absolute path of a source that has one. Failure: throws a `SourceError` when it is empty. */
export function pathOf({ uri, logger }: SourceContext): string {
  if (uri.path === '' || uri.path === '/') {
    throw new SourceError(
      'no-path',
      `${uri.scheme}://${uri.host}${uri.path} names no path: write three slashes, ` +
        `for example ${uri.scheme}:///path`,
    );
  }
  if (uri.host !== '' && uri.hostname !== 'localhost') {
    logger.warn('host in a local address is ignored: write three slashes', {
      host: uri.host,
      path: uri.path,
    });
  }
  return uri.path;
}

/** How raw PCM of a producer arrives: what the address says about it. */
export interface RawShape {
  readonly packed24: boolean;
  /** Bytes of one frame as the producer sends it. */
  readonly frameBytes: number;
}

export function rawShapeOf({ uri, format }: SourceContext): RawShape {
  const packed24 = flagOf(uri, 'packed_s24le') && format.bits === 24;
  return { packed24, frameBytes: arrivingFrameBytes(format, packed24) };
}

/** Bytes of one frame before packed samples are widened into their containers. */
export function arrivingFrameBytes(format: SampleFormat, packed24: boolean): number {
  return packed24 ? 3 * format.channels : format.frameBytes;
}

function badParameter(key: string, text: string, allowed: string): SourceError {
  return new SourceError('bad-parameter', `${key}=${text} cannot be used: write ${allowed}`);
}
