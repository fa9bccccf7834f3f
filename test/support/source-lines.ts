import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { parseStreamUri, type StreamUri } from '../../src/audio/stream-uri.ts';
import { feedPipe, feedRtp, feedTcp, feedUdp } from './feeder.ts';
import { makeFifoAt } from './fifo.ts';
import { LoopbackAnnouncer } from './loopback-announcer.ts';
import { wavFile } from './pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from './scratch-folder.ts';
import { freePort } from './server-process.ts';
import { TestServer } from './test-server.ts';
import { uniqueSignal } from './test-signal.ts';
import { until } from './waiting.ts';

/** The addresses that a configuration, or a piece of one, gives to `source`. */
export function sourcesIn(text: string): string[] {
  return [...text.matchAll(/^\s*(?:source|stream)\s*=\s*(\S.*?)\s*$/gm)].map(
    ([, line = '']) => line,
  );
}

/** What became of one line: it was heard, waits for its producer, or the log says what it lacks. */
export type Outcome =
  | { readonly became: 'heard' | 'waiting' }
  | { readonly became: 'missing'; readonly says: string };

/** A house that the lines find: files, fifos, peers, all of them of the test. */
interface House {
  readonly folder: string;
  /** Servers that the sources connect to. */
  readonly peers: Server[];
}

/** Plays to a source that waits for its producer, for as long as it is read. */
type Feeder = (uri: StreamUri) => Promise<void>;

const music = uniqueSignal({ format: SampleFormat.parse('48000:16:2'), seconds: 2 });
/** Datagrams are sent in real time. */
const shortMusic = music.subarray(0, music.length / 2);

/**
 * By scheme: who plays to it. Those that are no key have all they need, or nobody here who could play
 * to them.
 */
const feeders: ReadonlyMap<string, Feeder> = new Map<string, Feeder>([
  ['pipe', ({ path }) => feedPipe(path, music)],
  [
    'rtp',
    ({ query, port }) =>
      query.sap === 'listen' ? feedAnnounced(query.session!) : feedRtp(port!, shortMusic),
  ],
  ['tcp', async ({ query, port }) => (query.mode === 'client' ? undefined : feedTcp(port!, music))],
  ['udp', ({ query, port }) => (query.mode === 'rtp' ? feedRtp : feedUdp)(port!, shortMusic)],
]);

/** Kinds that play by themselves as soon as somebody listens: waiting is not enough. */
const performers: ReadonlySet<string> = new Set([
  'clip',
  'file',
  'meta',
  'process',
  'radio',
  'tone',
]);
/** Of those the ones that the house has all for: nothing can be missing. So it is for all that are fed. */
const provided: ReadonlySet<string> = new Set(['clip', 'file', 'meta', 'radio', 'tone']);

const sessionDescription = `v=0
o=- 1 1 IN IP4 192.0.2.20
s=Studio
c=IN IP4 239.69.1.3/32
t=0 0
m=audio 5004 RTP/AVP 98
a=rtpmap:98 L16/48000/2
`;

/** What tells of a thing that is not there, in a line of the log. */
const lacking =
  /not installed|not found|no such|does not exist|there is no|is missing|cannot find|cannot be found|cannot connect/i;

/**
 * Starts a server with the lines, plays to all of them, and listens to each.
 *
 * Failure: rejects when one is neither heard nor waits nor has told what it lacks.
 */
export async function playLines(lines: readonly string[]): Promise<ReadonlyMap<string, Outcome>> {
  const house = await openHouse();
  const addresses = await Promise.all(lines.map((line) => ofThisMachine(line, house)));
  const server = await TestServer.start(
    `clips.folder=${house.folder}/clips`,
    ...addresses.map((address) => `stream.source=${address}`),
  );
  const feeds: Promise<unknown>[] = [];
  try {
    // All at one time, as one may be made of others.
    const outcomes = await Promise.all(
      addresses.map((address) => outcomeOf(address, server, feeds)),
    );
    return new Map(lines.map((line, at) => [line, outcomes[at]!]));
  } finally {
    await server.stop();
    await Promise.all(feeds);
    closeHouse(house);
  }
}

async function outcomeOf(
  address: string,
  server: TestServer,
  feeds: Promise<unknown>[],
): Promise<Outcome> {
  const uri = parseStreamUri(address);
  const channel = server.application.streams.channels.get(uri.query.name ?? '');
  if (!channel) throw new Error(`${address} makes no stream: ${spokenOf(uri, server)}`);
  const feed = feeders.get(uri.scheme);
  // The source goes while it is played to.
  if (feed) feeds.push(feed(uri).catch(() => undefined));
  channel.openReader(0, () => undefined);
  const mustPlay = feed !== undefined || performers.has(uri.scheme);
  const mayLack = feed === undefined && !provided.has(uri.scheme);
  const isHeard = () => channel.stream.state === 'playing';
  const saysLack = () => mayLack && lacking.test(spokenOf(uri, server));
  const startMs = performance.now();
  // A program that ends at once has said so by then.
  const hasWaited = () => !mustPlay && performance.now() - startMs > 3000;
  await until(() => isHeard() || saysLack() || hasWaited(), `${address} is heard`).catch(
    (error: Error) => {
      throw new Error(`${error.message}; the log: ${spokenOf(uri, server)}`);
    },
  );
  if (isHeard()) return { became: 'heard' };
  if (saysLack()) return { became: 'missing', says: spokenOf(uri, server) };
  if (channel.stream.state === 'disabled') {
    throw new Error(`${address} is disabled, and does not say what is missing`);
  }
  return { became: 'waiting' };
}

/** What the log complains of. */
function spokenOf({ query }: StreamUri, { log }: TestServer): string {
  return log.lines
    .filter(
      ({ level, fields }) =>
        isComplaint(level) && JSON.stringify(fields).includes(`"${query.name}"`),
    )
    .map(({ phrase, fields }) => `${phrase} ${JSON.stringify(fields)}`)
    .join('\n');
}

function isComplaint(level: string): boolean {
  return ['warn', 'error', 'fatal'].includes(level);
}

async function openHouse(): Promise<House> {
  const folder = makeScratchFolder();
  const wav = wavFile(music);
  for (const name of ['clips', 'music', 'run']) mkdirSync(join(folder, name));
  for (const name of ['loop.wav', 'album.flac']) writeFileSync(join(folder, 'music', name), wav);
  writeFileSync(join(folder, 'clips', 'bell.wav'), wav);
  writeFileSync(join(folder, 'music', 'studio.sdp'), sessionDescription);
  return { folder, peers: [] };
}

function closeHouse({ folder, peers }: House): void {
  for (const peer of peers) peer.close();
  removeScratchFolder(folder);
}

/** The line with files, ports and hosts that this machine has instead of those of the reader. */
async function ofThisMachine(line: string, house: House): Promise<string> {
  const { folder } = house;
  const own = line
    .replace(/(?<=\/\/| )\/music\//g, `${folder}/music/`)
    .replace(/^pipe:\/\/\/[^?]*\/([^/?]+)/, `pipe://${folder}/run/$1`);
  if (own.startsWith('pipe:') && own.includes('mode=read')) makeFifoAt(parseStreamUri(own).path);
  if (own.startsWith('radio:')) {
    const url = `http://127.0.0.1:${await serveRadio(house)}/music.wav`;
    return own.replace(/\burl=[^&]*/, `url=${encodeURIComponent(url)}`);
  }
  if (/^(?:rtp|udp):/.test(own)) return ofThisNetwork(own, house);
  const [, host, port] = /^tcp:\/\/([^:?/]*)(:\d+)?/.exec(own) ?? [];
  if (host === undefined) return own;
  const isServer = !own.includes('mode=client');
  const ownPort = isServer ? await freePort() : await serveMusic(house);
  return own.replace(`tcp://${host}${port ?? ''}`, `tcp://127.0.0.1:${ownPort}`);
}

async function feedAnnounced(name: string): Promise<void> {
  const port = await freePort();
  const announcer = new LoopbackAnnouncer({ name, port, encoding: 'L24' });
  await announcer.announce();
  await feedRtp(port, shortMusic);
  announcer.close();
}

/** Groups are those of the loopback device, and senders, too. */
async function ofThisNetwork(line: string, { folder }: House): Promise<string> {
  const place = line.includes('sap=listen') ? '' : `127.0.0.1:${await freePort()}`;
  const isTold = /sap=(?:listen|true|announce)/.test(line);
  return `${line
    .replace(/^(\w+:\/\/)[^?/]*/, `$1${place}`)
    .replace(/&(?:iface|source)=[^&]*/g, '')
    .replace('/etc/zerocast/', `${folder}/music/`)}${isTold ? '&iface=127.0.0.1' : ''}`;
}

/** For a client of TCP. */
function serveMusic(house: House): Promise<number> {
  return serve(house, (socket) => socket.end(music));
}

function serveRadio(house: House): Promise<number> {
  const head = 'HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n';
  return serve(house, (socket) =>
    socket.once('data', () => {
      socket.write(head);
      socket.end(wavFile(music));
    }),
  );
}

async function serve({ peers }: House, answer: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => answer(socket.on('error', () => undefined)));
  peers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
