// The streams of the run. Each has a sample rate of its own, by which players know it.

export const bufferMs = 3000;
export const chunkMs = 20;

/** Players of these must hear everything: no action touches them. */
export const steadyStreams = [
  { name: 'Steady', rateHz: 8000, codec: 'pcm', kind: 'file' },
  { name: 'SteadyFlac', rateHz: 8010, codec: 'flac', kind: 'file' },
  { name: 'Tone', rateHz: 8020, codec: 'pcm', kind: 'tone' },
];

/** Their producers, programs and addresses are what the driver harms. */
export const harmedStreams = [
  { name: 'Pipe', rateHz: 8030, codec: 'pcm', kind: 'pipe' },
  { name: 'Net', rateHz: 8040, codec: 'flac', kind: 'tcp' },
  { name: 'Child', rateHz: 8050, codec: 'pcm', kind: 'process' },
  { name: 'Scripted', rateHz: 8060, codec: 'pcm', kind: 'scripted', script: 'player.mjs' },
  { name: 'Flooding', rateHz: 8070, codec: 'flac', kind: 'scripted', script: 'floods.sh' },
];

/** Of the first configuration, in the order of the alphabet. */
export const configuredNames = [...steadyStreams, ...harmedStreams].map(({ name }) => name).sort();

/** Comes, goes and changes with a reload. */
export const spareRatesHz = [8100, 8110];
/** Added by controllers. */
export const addedRatesHz = [8200, 8210, 8220, 8230];

export const allRatesHz = [
  ...[...steadyStreams, ...harmedStreams].map(({ rateHz }) => rateHz),
  ...spareRatesHz,
  ...addedRatesHz,
];

/** Streams whose audio is a pattern without end, whatever happens to others. */
export const endlessRatesHz = [8000, 8010, 8060, 8070, ...spareRatesHz, ...addedRatesHz];

export function patternFile({ media }, rateHz) {
  return `${media}/${rateHz}.raw`;
}

const addresses = {
  file: ({ rateHz }, places) => `file://${patternFile(places, rateHz)}?`,
  scripted: ({ rateHz, script }, places) =>
    `file://${patternFile(places, rateHz)}?controlscript=${script}&`,
  tone: () => 'tone:///?',
  pipe: (_, { fifo }) => `pipe://${fifo}?`,
  tcp: (_, { producerPort }) => `tcp://127.0.0.1:${producerPort}?`,
  process: ({ rateHz }, places) =>
    `process://${places.sandbox}/repeat.sh?params=${patternFile(places, rateHz)}&`,
};

/** The address of a stream as the configuration and controllers write it. */
export function streamAddress(stream, places) {
  const { name, rateHz, codec, kind } = stream;
  const head = addresses[kind](stream, places);
  return `${head}name=${name}&codec=${codec}&sampleformat=${rateHz}:16:2`;
}

const addedCount = 8;

export function addedStream(index) {
  const rateHz = addedRatesHz[index % addedRatesHz.length];
  const kind = ['file', 'scripted', 'process', 'file'][index % 4];
  const script = ['player.mjs', 'garbage.sh', 'exits.sh'][index % 3];
  return { name: `Added${index}`, rateHz, codec: index % 2 === 0 ? 'flac' : 'pcm', kind, script };
}

export const addedStreamNames = Array.from({ length: addedCount }, (_, index) => {
  return addedStream(index).name;
});
