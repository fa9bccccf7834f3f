// The streams of the run. Each has a sample rate of its own, by which players know it.

import { stationPath } from './failing-station.ts';
import type { Places } from './places.ts';

type Kind = 'meta' | 'file' | 'scripted' | 'tone' | 'pipe' | 'rtp' | 'radio' | 'tcp' | 'process';

/** A stream as the configuration or a controller adds it. */
export interface ChaosStream {
  readonly name: string;
  readonly rateHz: number;
  /** Absent: that of a pattern of this rate. */
  readonly sampleFormat?: string;
  readonly codec: string;
  readonly kind: Kind;
  /** Of a scripted one. */
  readonly script?: string;
}

/** A buffer that players fall out of, and one that holds more than one send may have. */
export const buffersMs: readonly [number, number] = [3000, 10_000];
export const chunkMs = 20;

export const toneRateHz = 8020;

/** Players of these must hear everything: no action touches them. */
export const steadyStreams: readonly ChaosStream[] = [
  { name: 'Steady', rateHz: 8000, codec: 'pcm', kind: 'file' },
  { name: 'SteadyFlac', rateHz: 8010, codec: 'flac', kind: 'file' },
  { name: 'Tone', rateHz: toneRateHz, codec: 'pcm', kind: 'tone' },
];

/** Their producers, programs and addresses are what the driver harms. */
export const harmedStreams: readonly ChaosStream[] = [
  { name: 'Pipe', rateHz: 8030, codec: 'pcm', kind: 'pipe' },
  { name: 'Net', rateHz: 8040, codec: 'flac', kind: 'tcp' },
  { name: 'Packets', rateHz: 8045, codec: 'pcm', kind: 'rtp' },
  { name: 'Radio', rateHz: 8047, codec: 'pcm', kind: 'radio' },
  { name: 'Child', rateHz: 8050, codec: 'pcm', kind: 'process' },
  { name: 'Scripted', rateHz: 8060, codec: 'pcm', kind: 'scripted', script: 'player.mjs' },
  { name: 'Flooding', rateHz: 8070, codec: 'flac', kind: 'scripted', script: 'floods.sh' },
  { name: 'Switching', rateHz: 8090, codec: 'pcm', kind: 'meta' },
];

/** Harmed streams without a pattern: sounds may be mixed over the whole of them. */
export const unknownNames: readonly string[] = [
  'Pipe',
  'Net',
  'Packets',
  'Radio',
  'Child',
  'Switching',
];

/**
 * Sounds may be mixed over these: there are always others who hear them, for whom nothing may change,
 * or what they play is not known anyway.
 */
export const mixableNames: readonly string[] = [
  ...steadyStreams.map(({ name }) => name),
  ...unknownNames,
];

/** Its chunks are tiny at one moment and huge at the next; players join it and leave. */
export const swellingStream: ChaosStream = {
  name: 'Swelling',
  rateHz: 200_000,
  sampleFormat: '200000:24:8',
  codec: 'flac:0',
  kind: 'file',
};

/** Of the first configuration, in the order of the alphabet. */
export const configuredNames = [...steadyStreams, ...harmedStreams, swellingStream]
  .map(({ name }) => name)
  .sort();

/** Comes, goes and changes with a reload. */
export const spareRatesHz = [8100, 8110] as const;
/** Added by controllers. */
const addedRatesHz = [8200, 8210, 8220, 8230];

export const allRatesHz = [
  ...[...steadyStreams, ...harmedStreams].map(({ rateHz }) => rateHz),
  ...spareRatesHz,
  ...addedRatesHz,
];

/** Streams whose audio is a pattern without end, whatever happens to others. */
export const endlessRatesHz = [8000, 8010, 8060, 8070, ...spareRatesHz, ...addedRatesHz];

export function patternFile({ media }: Places, rateHz: number): string {
  return `${media}/${rateHz}.raw`;
}

const addresses: Readonly<Record<Kind, (stream: ChaosStream, places: Places) => string>> = {
  file: ({ rateHz }, places) => `file://${patternFile(places, rateHz)}?`,
  scripted: ({ rateHz, script }, places) =>
    `file://${patternFile(places, rateHz)}?controlscript=${script}&`,
  tone: () => 'tone:///?',
  // They come and go, and each has another rate.
  meta: () => 'meta:///Pipe/Net/Child?',
  pipe: (_, { fifo }) => `pipe://${fifo}?`,
  rtp: (_, { packetPort }) => `rtp://127.0.0.1:${packetPort}?jitter_ms=200&`,
  radio: (_, { stationPort }) =>
    `radio:///?url=${encodeURIComponent(`http://127.0.0.1:${stationPort}${stationPath}`)}&linger_ms=2000&`,
  tcp: (_, { producerPort }) => `tcp://127.0.0.1:${producerPort}?`,
  process: ({ rateHz }, places) =>
    `process://${places.sandbox}/repeat.sh?params=${patternFile(places, rateHz)}&`,
};

/** The address of a stream as the configuration and controllers write it. */
export function streamAddress(stream: ChaosStream, places: Places): string {
  const { name, rateHz, codec, kind, sampleFormat = `${rateHz}:16:2` } = stream;
  const head = addresses[kind](stream, places);
  return `${head}name=${name}&codec=${codec}&sampleformat=${sampleFormat}`;
}

const addedCount = 8;

export function addedStream(index: number): ChaosStream {
  const rateHz = addedRatesHz[index % addedRatesHz.length]!;
  const kind = (['file', 'scripted', 'process', 'file'] as const)[index % 4]!;
  const script = ['player.mjs', 'garbage.sh', 'exits.sh'][index % 3]!;
  return { name: `Added${index}`, rateHz, codec: index % 2 === 0 ? 'flac' : 'pcm', kind, script };
}

export const addedStreamNames = Array.from({ length: addedCount }, (_, index) => {
  return addedStream(index).name;
});

/** Samples per second that a stream of a controller may have: `flac` has no larger format. */
export const maxAddedSamplesEach = 655_350 * 8;

const unheardCount = 5;

/** Of the largest format that is allowed; there is no room for all of them. */
export const unheardStreams: readonly ChaosStream[] = Array.from(
  { length: unheardCount },
  (_, index) => ({
    name: `Unheard${index}`,
    rateHz: 655_350,
    sampleFormat: '655350:32:8',
    codec: 'pcm',
    kind: 'tone',
  }),
);

/** Larger than is allowed. */
export const tooLargeStream: ChaosStream = {
  name: 'TooLarge',
  rateHz: 768_000,
  sampleFormat: '768000:32:8',
  codec: 'pcm',
  kind: 'tone',
};

/** No machine of today encodes this by libflacjs in real time; the system's library does. */
export const slowStream: ChaosStream = {
  name: 'Slow',
  rateHz: 655_350,
  sampleFormat: '655350:24:8',
  codec: 'flac:8',
  kind: 'tone',
};

/** What controllers add and nobody wants; gone at every quiet point. */
export const passingStreamNames = [
  ...addedStreamNames,
  ...[...unheardStreams, tooLargeStream, slowStream].map(({ name }) => name),
  'Planted',
];
