import { SourceError } from '../base/errors.ts';
import {
  badParameter,
  choiceOf,
  numberOf,
  type StreamParameters,
  textOf,
} from './stream-parameters.ts';
import { formatStreamUri, type StreamUri } from './stream-uri.ts';

/** Every change of one of them makes the stream choose anew. */
export const maxMetaChildren = 64;
/** In the place of a name: all other streams that are no meta streams. */
export const allOthers = '*';

/** What the address of a meta stream says. */
export interface MetaOptions {
  /** Names of streams, or `*`. */
  readonly names: readonly string[];
  /** Which of several that play is heard: the first one, or the one that began last. */
  readonly mode: 'priority' | 'recent';
  /** Absent: as who asks for it usually wants. */
  readonly missing: 'wait' | 'fail' | undefined;
  /** For so long the one that is heard must have been idle before one of less rank is. */
  readonly holdMs: number;
  /** How long a switch takes. */
  readonly fadeMs: number;
}

const hold = { fallback: 0, min: 0, max: 60_000, unit: 'ms' };
const fade = { fallback: 10, min: 0, max: 2000, unit: 'ms' };
/** What is the matter of its children. */
const idleParameters = [
  'controlscript',
  'controlscriptparams',
  'idle_threshold',
  'silence_threshold_percent',
  'send_silence',
];

/** Failure: throws a `SourceError` that says how to fix the address. */
export function parseMetaOptions(parameters: StreamParameters): MetaOptions {
  const { uri, warn } = parameters;
  const own = uri.query.name ?? '';
  if (uri.host !== '') {
    const path = `/${uri.host}${uri.path}`;
    const meant = formatStreamUri({ ...uri, host: '', path, query: { name: own } });
    const fault = `"${uri.host}" stands where the name of a computer would`;
    throw new SourceError('bad-uri', `Meta stream '${own}': ${fault}: write ${meant}`);
  }
  const names = [...new Set(uri.path.split('/').filter(Boolean))];
  if (names.length === 0) {
    throw new SourceError(
      'no-children',
      `Meta stream '${own}' must contain at least one stream: write meta:///<stream>/<stream>?name=${own}`,
    );
  }
  if (names.length > maxMetaChildren) {
    throw new SourceError(
      'many-children',
      `Meta stream '${own}' names ${names.length} streams, and ${maxMetaChildren} are the limit`,
    );
  }
  for (const key of idleParameters) {
    if (textOf(uri, key) !== undefined) warn(`${key} has no effect on a meta stream`);
  }
  return {
    names,
    mode: choiceOf(uri, 'mode', ['priority', 'recent']),
    missing: missingOf(uri),
    holdMs: numberOf(parameters, 'hold_ms', hold),
    fadeMs: numberOf(parameters, 'fade_ms', fade),
  };
}

/**
 * The way from a meta stream back to itself, over streams that are made of others; `undefined` when it
 * does not contain itself. `namesOf` says what those are made of.
 */
export function metaCircle(
  own: string,
  namesOf: (name: string) => readonly string[] | undefined,
): readonly string[] | undefined {
  // Two of them may contain a third one, and so on: each is gone into once.
  const seen = new Set([own]);
  const wayFrom = (path: readonly string[]): readonly string[] | undefined => {
    for (const child of namesOf(path.at(-1)!) ?? []) {
      if (child === own) return [...path, child];
      if (seen.has(child)) continue;
      seen.add(child);
      const way = wayFrom([...path, child]);
      if (way) return way;
    }
    return undefined;
  };
  return wayFrom([own]);
}

function missingOf(uri: StreamUri): MetaOptions['missing'] {
  const text = textOf(uri, 'missing')?.toLowerCase();
  if (text === undefined || text === 'wait' || text === 'fail') return text;
  throw badParameter(uri, 'missing', 'write wait or fail');
}
