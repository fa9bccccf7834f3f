import { SourceError } from '../../base/errors.ts';

export interface OpusOptions {
  /** Bits per second, or one of libopus' two special values. */
  readonly bitrate: number;
  readonly complexity: number;
}

/** `OPUS_AUTO` and `OPUS_BITRATE_MAX` of libopus. */
const specialBitrates: ReadonlyMap<string, number> = new Map([
  ['AUTO', -1000],
  ['MAX', -1],
]);

const defaults: OpusOptions = { bitrate: 192_000, complexity: 10 };

export const opusOptionsHelp =
  'BITRATE:<6000..512000|MAX|AUTO>,COMPLEXITY:<1..10>, default ' +
  `BITRATE:${defaults.bitrate},COMPLEXITY:${defaults.complexity}`;

type OptionParser = (value: string) => number | undefined;

/** Which option a key sets, and how its value is read. */
const parsers = new Map<string, readonly [keyof OpusOptions, OptionParser]>([
  [
    'BITRATE',
    ['bitrate', (value) => specialBitrates.get(value) ?? wholeNumber(value, 6000, 512_000)],
  ],
  ['COMPLEXITY', ['complexity', (value) => wholeNumber(value, 1, 10)]],
]);

/**
 * Reads `KEY:value,KEY:value` in any case and order; what is missing keeps its default.
 *
 * Failure: throws a `SourceError` that says what is allowed.
 */
export function parseOpusOptions(text: string): OpusOptions {
  if (text === '') return defaults;
  return { ...defaults, ...Object.fromEntries(text.split(',').map(parseItem)) };
}

function parseItem(item: string): readonly [keyof OpusOptions, number] {
  const [key = '', value = '', ...more] = item.split(':').map((part) => part.trim().toUpperCase());
  const [name, parse] = parsers.get(key) ?? [];
  const parsed = more.length === 0 ? parse?.(value) : undefined;
  if (name !== undefined && parsed !== undefined) return [name, parsed];
  throw new SourceError(
    'bad-codec-options',
    `"${item.trim()}" is no opus option: write ${opusOptionsHelp}`,
  );
}

function wholeNumber(text: string, least: number, most: number): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}
