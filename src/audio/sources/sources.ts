import { SourceError } from '../../base/errors.ts';
import { createClipSource } from './clip-source.ts';
import { createFileSource } from './file-source.ts';
import { createPipeSource } from './pipe-source.ts';
import { createProcessSource } from './process-source.ts';
import type { OpenSource, SourceContext, SourceFactory, StreamSource } from './stream-source.ts';
import { createTcpSource } from './tcp-source.ts';
import { createToneSource } from './tone-source.ts';

const factories: ReadonlyMap<string, SourceFactory> = new Map([
  ['clip', createClipSource],
  ['file', createFileSource],
  ['pipe', createPipeSource],
  ['process', createProcessSource],
  ['tcp', createTcpSource],
  ['tone', createToneSource],
]);

/** Kinds that few servers have: their code is loaded when it is first needed. */
const loaders: ReadonlyMap<string, () => Promise<OpenSource>> = new Map<
  string,
  () => Promise<OpenSource>
>([
  ['airplay', async () => (await import('./airplay-source.ts')).createAirplaySource],
  ['jack', async () => (await import('./jack-source.ts')).createJackSource],
  ['alsa', async () => (await import('./alsa-source.ts')).openAlsaSource],
  ['librespot', loadLibrespot],
  ['pipewire', async () => (await import('./pipewire-source.ts')).createPipeWireSource],
  ['radio', async () => (await import('./radio/radio-source.ts')).createRadioSource],
  ['spotify', loadLibrespot],
  ['rtp', loadNetworkSource],
  ['udp', loadNetworkSource],
]);

/** The source for the scheme of the address. Failure: a `SourceError` where it cannot be used. */
export async function openSource(context: SourceContext): Promise<StreamSource> {
  const load = loaders.get(context.uri.scheme);
  return load ? (await load())(context) : createSource(context);
}

async function loadLibrespot(): Promise<SourceFactory> {
  return (await import('./librespot-source.ts')).createLibrespotSource;
}

/** The same of what is always loaded. */
export function createSource(context: SourceContext): StreamSource {
  const { scheme } = context.uri;
  const create = factories.get(scheme);
  if (create) return create(context);
  throw new SourceError(
    'unknown-source',
    `Unknown stream type: ${scheme}: write one of ${[...factories.keys(), ...loaders.keys(), 'meta'].sort().join(', ')}`,
  );
}

async function loadNetworkSource(): Promise<SourceFactory> {
  return (await import('./rtp/network-source.ts')).createNetworkSource;
}
