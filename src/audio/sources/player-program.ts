import { findProgram } from '../../base/children/find-program.ts';
import { SourceError } from '../../base/errors.ts';
import { SampleFormat } from '../sample-format.ts';
import { textOf } from '../stream-parameters.ts';
import type { StreamUri } from '../stream-uri.ts';
import { type SourceContext, warnOfAddress } from './stream-source.ts';

/** What both protocols carry; no setting changes it. */
const playedFormat = SampleFormat.parse('44100:16:2');

/** The context of a source whose program has one format only, whatever the address says. */
export function playedContext(context: SourceContext): SourceContext {
  const { uri, logger, format, formatIsExplicit } = context;
  if (formatIsExplicit && !format.equals(playedFormat)) {
    const fault = `sampleformat=${format} has no effect: ${uri.scheme} always plays ${playedFormat}`;
    warnOfAddress(logger, uri, fault);
  }
  return { ...context, format: playedFormat, packed24: false };
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
