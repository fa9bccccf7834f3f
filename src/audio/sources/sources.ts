import { SourceError } from '../../errors.ts';
import { createFileSource } from './file-source.ts';
import { createPipeSource } from './pipe-source.ts';
import { createProcessSource } from './process-source.ts';
import type { SourceContext, SourceFactory, StreamSource } from './stream-source.ts';
import { createTcpSource } from './tcp-source.ts';
import { createToneSource } from './tone-source.ts';

const factories: ReadonlyMap<string, SourceFactory> = new Map([
  ['file', createFileSource],
  ['pipe', createPipeSource],
  ['process', createProcessSource],
  ['tcp', createTcpSource],
  ['tone', createToneSource],
]);

/** Kinds of upstream that are not built yet, and what does the same meanwhile. */
const missing: ReadonlyMap<string, string> = new Map([
  ['alsa', 'process:///usr/bin/arecord?params=-t raw -f S16_LE -r 48000 -c 2 -D hw:0'],
  ['jack', 'process:///usr/bin/jack_capture with raw output, or pipe:///path'],
  ['pipewire', 'process:///usr/bin/pw-record?params=--rate 48000 --channels 2 --format s16 -'],
  ['librespot', 'process:///usr/bin/librespot?params=--name Zerocast --backend pipe'],
  ['spotify', 'process:///usr/bin/librespot?params=--name Zerocast --backend pipe'],
  ['airplay', 'process:///usr/bin/shairport-sync?params=--output=stdout'],
  ['meta', 'one of its sources as a stream of its own'],
]);

/**
 * Builds the source for the scheme of the address.
 *
 * Failure: throws a `SourceError` for unknown schemes and for addresses that cannot be used.
 */
export function createSource(context: SourceContext): StreamSource {
  const { scheme } = context.uri;
  const create = factories.get(scheme);
  if (create) return create(context);
  const instead = missing.get(scheme);
  if (instead !== undefined) {
    throw new SourceError(
      'source-not-supported',
      `streams of type "${scheme}" are not supported yet: use ${instead}`,
    );
  }
  throw new SourceError(
    'unknown-source',
    `Unknown stream type: ${scheme}: write one of ${[...factories.keys()].join(', ')}`,
  );
}
