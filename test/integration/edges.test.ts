import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Clock, monotonicClock } from '../../src/base/clock.ts';
import { messageType } from '../../src/protocol/layout.ts';
import {
  decodeCodecHeader,
  decodeServerSettings,
  decodeWireChunk,
} from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { freePort } from '../support/server-process.ts';
import { Snapserver, snapserverIsMissing } from '../support/snapserver.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const flacSync = 0xfff8;

const servers: TestServer[] = [];
const clients: ScriptedClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  // Edges first: an origin that goes is news to them.
  for (const server of servers.splice(0).reverse()) await server.stop();
});

async function startOrigin(...settings: string[]): Promise<TestServer> {
  const server = await TestServer.start(...settings);
  servers.push(server);
  return server;
}

async function startEdge(
  origin: { readonly port: number },
  {
    name = 'hall',
    clock,
    settings = [],
  }: { name?: string; clock?: Clock; settings?: string[] } = {},
): Promise<TestServer> {
  const server = await TestServer.startWith(
    { ...(clock && { clock }) },
    `edge.origin=snap://127.0.0.1:${origin.port}`,
    `edge.name=${name}`,
    ...settings,
  );
  servers.push(server);
  return server;
}

async function join(port: number, id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(port, id);
  clients.push(client);
  await client.untilCount(messageType.wireChunk, 1);
  return client;
}

/** A clock that runs faster than that of this machine, and was set otherwise. */
function crookedClock(ppm: number, offsetUs: number): Clock {
  const startUs = monotonicClock.nowUs();
  return {
    nowUs: () => {
      const nowUs = monotonicClock.nowUs();
      return nowUs + offsetUs + (nowUs - startUs) * ppm * 1e-6;
    },
  };
}

/** Messages by their timestamps, headers included. */
function byTime(client: ScriptedClient): ReadonlyMap<number, string> {
  return new Map(
    client.chunks.map(({ body, sentUs }) => [
      decodeWireChunk(body).timestampUs,
      `${sentUs} ${body.toString('base64')}`,
    ]),
  );
}

function expectSameAudio(here: ScriptedClient, there: ScriptedClient, least = 40): void {
  const [own, other] = [byTime(here), byTime(there)];
  const times = [...own.keys()];
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const common = times.filter((time) => other.has(time));
  expect(common.length).toBeGreaterThan(least);
  for (const time of common) expect(own.get(time)).toBe(other.get(time));
  const between = [...other.keys()].filter((time) => time >= common[0]! && time <= common.at(-1)!);
  expect(common).toEqual(between);
}

const streamIds = ({ application }: TestServer) => [...application.streams.channels.keys()];

describe('an edge', () => {
  it.each(['pcm', 'flac', 'opus'])(
    'sends its players what the origin sends, in %s',
    async (codec) => {
      const origin = await startOrigin(`stream.source=tone:///?name=Tone&codec=${codec}`);
      const edge = await startEdge(origin);
      expect(streamIds(edge)).toEqual(['Tone']);
      const direct = await join(origin.port, 'a');
      const player = await join(edge.port, 'b');
      expect(player.of(messageType.codecHeader)[0]?.body).toEqual(
        direct.of(messageType.codecHeader)[0]?.body,
      );
      await player.untilCount(messageType.wireChunk, 80);
      expectSameAudio(player, direct);
      // No client of the origin.
      expect([...origin.application.registry.clients.keys()]).toEqual(['a']);
    },
  );

  it('has the buffer, the streams and the order of the origin', async () => {
    const origin = await startOrigin(
      'stream.source=tone:///?name=One',
      'stream.source=tone:///?name=Two / three?',
      'stream.source=tone:///?name=Feed&codec=null',
      'stream.buffer=1500',
    );
    const edge = await startEdge(origin, { settings: ['stream.source=tone:///?name=Local'] });
    expect(streamIds(edge)).toEqual(['One', 'Two / three?', 'Local']);
    const player = await join(edge.port, 'b');
    const [settings] = player.of(messageType.serverSettings);
    expect(decodeServerSettings(settings!.body).bufferMs).toBe(1500);
    await origin.application.streams.addTrusted('tone:///?name=Added');
    await until(() => streamIds(edge).join() === 'One,Two / three?,Added,Local', 'it has come');
    await origin.application.streams.remove('One');
    await until(() => streamIds(edge).join() === 'Two / three?,Added,Local', 'it has gone');
    const [state] = [...edge.application.streams.channels.values()].map(
      ({ stream }) => stream.state,
    );
    expect(state).toBe('playing');
  });

  it('lets the origin rest while no player listens', async () => {
    const origin = await startOrigin('stream.source=tone:///?name=Tone');
    const edge = await startEdge(origin);
    const channel = origin.application.streams.channels.get('Tone')!;
    expect(channel.subscribers).toBe(0);
    const player = await join(edge.port, 'b');
    expect(channel.subscribers).toBe(1);
    player.close();
    await until(() => channel.subscribers === 0, 'the last player has gone');
    const next = await join(edge.port, 'c');
    await next.untilCount(messageType.wireChunk, 40);
    expect(channel.subscribers).toBe(1);
  });

  it('has the time of its origin, whatever the clock of its machine shows', async () => {
    const origin = await startOrigin('stream.source=tone:///?name=Tone&codec=pcm');
    const fast = await startEdge(origin, { name: 'fast', clock: crookedClock(100, 3600e6) });
    const slow = await startEdge(origin, { name: 'slow', clock: crookedClock(-100, -100e6) });
    const players = [await join(fast.port, 'a'), await join(slow.port, 'b')];
    for (const player of players) await player.untilCount(messageType.wireChunk, 80);
    expectSameAudio(players[0]!, players[1]!);
    for (const edge of [fast, slow]) {
      const { timeline, isByUdp } = edge.application.edge!;
      expect(isByUdp).toBe(true);
      const { errorBoundUs } = timeline.figures;
      const errorUs = timeline.nowUs() - monotonicClock.nowUs();
      expect(Math.abs(errorUs)).toBeLessThan(errorBoundUs);
    }
  });

  it('asks for the time by TCP where the origin has no port for that', async () => {
    const origin = await startOrigin('stream.source=tone:///?name=Tone', 'edge.time_port=0');
    const edge = await startEdge(origin, { clock: crookedClock(100, 3600e6) });
    const { timeline, isByUdp } = edge.application.edge!;
    expect(isByUdp).toBe(false);
    const errorUs = timeline.nowUs() - monotonicClock.nowUs();
    expect(Math.abs(errorUs)).toBeLessThan(timeline.figures.errorBoundUs);
    const player = await join(edge.port, 'b');
    await player.untilCount(messageType.wireChunk, 40);
  });

  it('gives each session the new header before the audio when the codec changes', async () => {
    const origin = await startOrigin('stream.source=tone:///?name=Tone&codec=pcm');
    const edge = await startEdge(origin);
    const player = await join(edge.port, 'b');
    await origin.application.streams.reconfigure(['tone:///?name=Tone&codec=flac']);
    const headers = await player.untilCount(messageType.codecHeader, 2);
    expect(headers.map(({ body }) => decodeCodecHeader(body).codec)).toEqual(['pcm', 'flac']);
    const at = player.received.findLastIndex(({ type }) => type === messageType.codecHeader);
    const isFlac = ({ body }: { body: Buffer }) =>
      decodeWireChunk(body).payload.readUInt16BE(0) === flacSync;
    await player.until(() => player.received.length > at + 60, 'audio follows');
    const isChunk = ({ type }: { type: number }) => type === messageType.wireChunk;
    expect(player.received.slice(at).filter(isChunk).every(isFlac)).toBe(true);
    expect(player.received.slice(0, at).filter(isChunk).some(isFlac)).toBe(false);
  });

  it('goes on when its origin was away, and its players have stayed', async () => {
    const source = 'stream.source=tone:///?name=Tone&codec=pcm';
    const first = await TestServer.start(source);
    const edge = await startEdge(first);
    const player = await join(edge.port, 'b');
    await player.untilCount(messageType.wireChunk, 60);
    const { port } = first;
    await first.stop();
    const channel = edge.application.streams.channels.get('Tone')!;
    await until(() => channel.stream.state === 'idle', 'the stream is idle');
    const before = player.chunks.length;
    await startOrigin(source, `tcp-streaming.port=${port}`);
    await player.until(() => player.chunks.length > before + 60, 'there is audio again');
    const times = [...byTime(player).keys()];
    expect(times).toHaveLength(player.chunks.length);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(player.of(messageType.codecHeader)).toHaveLength(1);
  });

  it('tells its players the buffer of the origin when that has changed', async () => {
    const source = 'stream.source=tone:///?name=Tone';
    const first = await TestServer.start(source);
    const edge = await startEdge(first);
    const player = await join(edge.port, 'b');
    const { port } = first;
    await first.stop();
    await startOrigin(source, `tcp-streaming.port=${port}`, 'stream.buffer=1700');
    const told = () =>
      player.of(messageType.serverSettings).map(({ body }) => decodeServerSettings(body).bufferMs);
    await player.until(() => told().at(-1) === 1700, 'the new buffer');
    const before = player.chunks.length;
    await player.until(() => player.chunks.length > before + 40, 'there is audio');
    expect(edge.application.streams.channels.get('Tone')?.stream.options.bufferMs).toBe(1700);
  });

  it('sends players away until it knows the time, and is there for controllers', async () => {
    const port = await freePort();
    const edge = await startEdge({ port });
    const early = await ScriptedClient.connect(edge.port);
    await early.untilClosed();
    const controller = await ControlClient.connect(edge.controlPort);
    expect((await controller.status()).streams).toEqual([]);
    controller.close();
    await startOrigin('stream.source=tone:///?name=Tone', `tcp-streaming.port=${port}`);
    await until(() => streamIds(edge).includes('Tone'), 'the stream has come');
    const player = await join(edge.port, 'b');
    await player.untilCount(messageType.wireChunk, 40);
  });

  it('logs in where the origin wants that', async () => {
    const login = [
      'authorization.enabled=true',
      'authorization.user=hall:secret:player',
      'authorization.role=player:Streaming',
    ];
    const origin = await startOrigin('stream.source=tone:///?name=Tone', ...login);
    const edge = await startEdge(origin, { settings: ['edge.login=hall:secret'] });
    const player = await join(edge.port, 'b');
    await player.untilCount(messageType.wireChunk, 40);
    const other = await startEdge(origin, { settings: ['edge.login=hall:wrong'] });
    expect(streamIds(other)).toEqual([]);
    expect(other.log.with('the origin refuses us: 401')).not.toEqual([]);
  });
});

describe('a stream of another server', () => {
  it('plays beside those of the own one, by the own clock', async () => {
    const other = await TestServer.startWith(
      { clock: crookedClock(50, 1000e6) },
      'stream.source=tone:///?name=Far away&codec=flac',
    );
    servers.push(other);
    const address = `snap://127.0.0.1:${other.port}/Far away?name=Near`;
    const server = await startOrigin(`stream.source=${address}`, 'stream.source=tone:///?name=Own');
    expect(streamIds(server)).toEqual(['Near', 'Own']);
    const player = await join(server.port, 'b');
    await player.untilCount(messageType.wireChunk, 80);
    const times = [...byTime(player).keys()];
    expect(Math.abs(times.at(-1)! - monotonicClock.nowUs())).toBeLessThan(2e6);
    const steps = times.slice(1).map((time, index) => time - times[index]!);
    expect(Math.max(...steps)).toBeLessThan(1.1 * Math.min(...steps));
  });
});

describe.skipIf(snapserverIsMissing)('an edge of the original server', () => {
  it.each(['pcm', 'flac', 'opus', 'ogg'])('passes its %s on as it is', async (codec) => {
    const source = `process:///bin/cat?name=noise&params=/dev/urandom&codec=${codec}`;
    const origin = await Snapserver.start([source]);
    onTestFinished(() => origin.kill());
    const edge = await startEdge({ port: origin.streamPort });
    expect(streamIds(edge)).toEqual(['default']);
    const direct = await join(origin.streamPort, 'a');
    const player = await join(edge.port, 'b');
    const [header, headerThere] = await Promise.all(
      [player, direct].map(async (client) => {
        await client.untilCount(messageType.codecHeader, 1);
        return client.of(messageType.codecHeader)[0]?.body;
      }),
    );
    expect(header).toEqual(headerThere);
    await player.untilCount(messageType.wireChunk, 80);
    const bodies = (client: ScriptedClient) =>
      client.chunks.map(({ body }) => body.toString('base64'));
    const there = bodies(direct);
    const here = bodies(player).filter((body) => there.includes(body));
    expect(here.length).toBeGreaterThan(40);
    expect(here).toEqual(there.slice(there.indexOf(here[0]!), there.indexOf(here.at(-1)!) + 1));
    const { ring } = edge.application.streams.default!.broadcast;
    for (let sequence = ring.tail + 1; sequence < ring.head; sequence += 1) {
      const [before, chunk] = [ring.at(sequence - 1), ring.at(sequence)];
      const gapUs = chunk.timestampUs - before.timestampUs - before.durationUs;
      expect(Math.abs(gapUs)).toBeLessThan(3000);
    }
  });
});
