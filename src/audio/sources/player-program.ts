import { findProgram } from '../../base/children/find-program.ts';
import { SourceError } from '../../base/errors.ts';
import { playedFormat } from '../known-parameters.ts';
import { SampleFormat } from '../sample-format.ts';
import { textOf } from '../stream-parameters.ts';
import type { StreamUri } from '../stream-uri.ts';
import type { SourceContext } from './stream-source.ts';

/** The context of a source whose program has one format only. */
export function playedContext(context: SourceContext): SourceContext {
  return { ...context, format: SampleFormat.parse(playedFormat), packed24: false };
}

/**
 * Where the program of a player lies: as the address says, by its name in PATH, else the usual one.
 *
 * Failure: throws a `SourceError` when there is none.
 */
export function findPlayer({ path, scheme }: StreamUri, usual: string): string {
  const named = /^\/?$/.test(path) ? [] : [path];
  let fault: unknown;
  for (const candidate of [...named, `/usr/bin/${usual}`]) {
    try {
      return findProgram(candidate);
    } catch (error) {
      fault ??= error;
    }
  }
  const looked = named.map((candidate) => ` at ${candidate}`).join('');
  throw new SourceError(
    'no-program',
    `${usual} not found${looked}: install it, or write its path as in ${scheme}:///usr/local/bin/${usual}`,
    { cause: fault },
  );
}

/** The name under which apps show the player. */
export function deviceName(uri: StreamUri): string {
  return textOf(uri, 'devicename') ?? textOf(uri, 'name') ?? 'Zerocast';
}
