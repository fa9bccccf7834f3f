import type { Places } from './places.ts';
import {
  type ChaosStream,
  harmedStreams,
  maxAddedSamplesEach,
  spareRatesHz,
  steadyStreams,
  streamAddress,
  swellingStream,
} from './streams.ts';

/** Configurations between which a reload switches; the last ones are refused as a whole. */
export const variants = [
  'plain',
  'spare',
  'otherSpare',
  'limits',
  'lessHarmed',
  'bad',
  'empty',
] as const;

export type ConfigVariant = (typeof variants)[number];

const withSpare: Partial<Readonly<Record<ConfigVariant, ChaosStream>>> = {
  spare: { name: 'Spare', rateHz: spareRatesHz[0], codec: 'pcm', kind: 'file' },
  otherSpare: { name: 'Spare', rateHz: spareRatesHz[1], codec: 'flac', kind: 'file' },
};

const zeroCopy = ['zerocopy = true', 'zerocopy_mode = always', 'zerocopy_min_bytes = 512'];

/** The text of `zerocast.conf`. */
export function configText(places: Places, variant: ConfigVariant = 'plain'): string {
  if (variant === 'empty') return '[stream\nsource\n';
  const harmed = variant === 'lessHarmed' ? harmedStreams.slice(1) : harmedStreams;
  const spare = withSpare[variant];
  const streams = [...steadyStreams, ...harmed, swellingStream, ...(spare ? [spare] : [])];
  const lines = [
    '[server]',
    `datadir = ${places.data}`,
    'mdns_enabled = false',
    'peer_timeout = 8000',
    '[ssl]',
    `certificate = ${places.certificate}`,
    `certificate_key = ${places.certificateKey}`,
    '[http]',
    'bind_to_address = 0.0.0.0',
    `port = ${places.httpPort}`,
    'ssl_enabled = true',
    'ssl_bind_to_address = 0.0.0.0',
    `ssl_port = ${places.securePort}`,
    '[tcp-control]',
    'bind_to_address = 0.0.0.0',
    `port = ${places.controlPort}`,
    '[tcp-streaming]',
    'bind_to_address = 0.0.0.0',
    `port = ${places.streamPort}`,
    `hello_timeout = ${variant === 'limits' ? 2000 : 3000}`,
    'stall_timeout = 6000',
    '[stream]',
    ...streams.map((stream) => `source = ${streamAddress(stream, places)}`),
    `plugin_dir = ${places.plugins}`,
    `sandbox_dir = ${places.sandbox}`,
    'persist_added = true',
    `buffer = ${places.bufferMs}`,
    ...(places.isZeroCopy ? zeroCopy : []),
    // A busy machine is no fault of the server.
    'resync_tolerance = 1500',
    '[streaming_client]',
    `initial_volume = ${variant === 'limits' ? 60 : 100}`,
    '[limits]',
    `max_known_clients = ${variant === 'limits' ? 1000 : 2000}`,
    `max_streams = ${variant === 'limits' ? 12 : 20}`,
    `max_added_samples_each = ${maxAddedSamplesEach}`,
    // All have the same address, and a flood shall meet the limit of descriptors.
    'max_connections_per_address = 0',
    '[logging]',
    `filter = ${variant === 'limits' ? '*:info,Plugin:warn' : '*:info'}`,
  ];
  if (variant === 'bad') lines.push('[stream]', 'buffer = a lot', 'codec = wax-cylinder');
  return `${lines.join('\n')}\n`;
}
