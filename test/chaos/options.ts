import { parseArgs } from 'node:util';
import { Random } from '../support/random.ts';
import { buffersMs } from './streams.ts';

export const usage = `usage: scripts/chaos [options]

Runs the real server among players, controllers and producers of which a seeded driver harms all but
a few, and checks that those few notice nothing. The exit status is 1 when something broke; what
is printed then contains the command that does the same again. Needs root and Linux: it runs in
namespaces of its own. Options:
  --seed N              the order of the actions; without it a new one
  --seconds 120         how long
  --players 300         scripted players, of which 2 in 5 must hear everything
  --real 3              real snapclients, 0 to 3
  --quiet-seconds 20    time between two looks at memory and descriptors with all others gone
  --server dist/main.js the server to test
  --zerocopy            every send of audio is a zero-copy send
  --buffer MS           the buffer of the server, 3000 to 10000; without it by the seed
  --flac system         encodes flac by the system's library, or by libflacjs; without it by the seed
  --no-addon            the server sends by plain JavaScript
  --no-reload           sends neither SIGHUP nor SIGUSR1
  --plan N              prints the first N actions of the seed and does nothing
  --log FILE            keeps the whole log of the server`;

const definitions = {
  seed: { type: 'string' },
  seconds: { type: 'string', default: '120' },
  players: { type: 'string', default: '300' },
  real: { type: 'string', default: '3' },
  'quiet-seconds': { type: 'string', default: '20' },
  server: { type: 'string', default: 'dist/main.js' },
  zerocopy: { type: 'boolean', default: false },
  buffer: { type: 'string' },
  flac: { type: 'string' },
  'no-addon': { type: 'boolean', default: false },
  'no-reload': { type: 'boolean', default: false },
  plan: { type: 'string' },
  log: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
  // The folder that the outer process has made: it tells the inner one apart.
  inside: { type: 'string' },
} as const;

const flacLibraries = ['system', 'libflacjs'] as const;
export type FlacLibrary = (typeof flacLibraries)[number];

export type ChaosOptions = ReturnType<typeof parseOptions>;

const steadyShare = 0.4;
const farShare = 0.1;

/** Failure: throws an error that names the option. */
export function parseOptions(args: readonly string[]) {
  const { values } = parseArgs({ args: [...args], options: definitions });
  const players = wholeNumber('players', values.players, { low: 10, high: 2000 });
  const steady = Math.round(players * steadyShare);
  const far = Math.round(players * farShare);
  const seed = values.seed === undefined ? newSeed() : wholeNumber('seed', values.seed);
  return {
    players,
    steady,
    far,
    victims: players - steady - far,
    seed,
    seconds: wholeNumber('seconds', values.seconds, { low: 1, high: 86_400 }),
    quietSeconds: wholeNumber('quiet-seconds', values['quiet-seconds'], { low: 5, high: 3600 }),
    realClients: wholeNumber('real', values.real, { low: 0, high: 3 }),
    main: values.server,
    isZeroCopy: values.zerocopy,
    hasAddon: !values['no-addon'],
    bufferMs: bufferOf(values.buffer, seed),
    flacLibrary: flacLibraryOf(values.flac, seed),
    reloads: !values['no-reload'],
    planLength: values.plan === undefined ? undefined : wholeNumber('plan', values.plan),
    logFile: values.log,
    needsHelp: values.help,
    workDir: values.inside,
  };
}

function bufferOf(text: string | undefined, seed: number): number {
  if (text === undefined) return new Random(seed).pick(buffersMs);
  return wholeNumber('buffer', text, { low: buffersMs[0], high: buffersMs[1] });
}

function flacLibraryOf(text: string | undefined, seed: number): FlacLibrary {
  if (text === undefined) return new Random(seed).fork(1).pick(flacLibraries);
  const library = flacLibraries.find((name) => name === text);
  if (library) return library;
  throw new Error(`--flac is "${text}": give one of ${flacLibraries.join(', ')}`);
}

function newSeed(): number {
  return Math.floor(Math.random() * 1_000_000);
}

function wholeNumber(name: string, text: string, { low = 0, high = 2 ** 32 - 1 } = {}): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= low && number <= high) return number;
  throw new Error(`--${name} is "${text}": give a whole number from ${low} to ${high}`);
}
