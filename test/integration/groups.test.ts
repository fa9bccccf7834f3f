import { afterEach, describe, expect, it } from 'vitest';
import type { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { monotonicClock } from '../../src/clock.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeCodecHeader, decodeWireChunk } from '../../src/protocol/messages.ts';
import type { GroupState } from '../../src/server/registry.ts';
import type { FanOut } from '../../src/transport/fan-out.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import { jsonMessage } from '../support/mutations.ts';
import { nativeFanOut } from '../support/native.ts';
import { PlayerRig, type PlayerRigOptions } from '../support/player-rig.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { turn, until } from '../support/waiting.ts';

const first = 'tone:///?name=First&codec=pcm';
const second = 'tone:///?name=Second&codec=flac';
let rig: PlayerRig;

afterEach(async () => {
  expect(await rig.close(), 'the pool is full').toBe(true);
});

async function start(sources: readonly string[], options?: PlayerRigOptions): Promise<void> {
  rig = await PlayerRig.open(sources, options);
}

async function player(id: string): Promise<ScriptedClient> {
  const client = await rig.join(id);
  await client.untilCount(messageType.wireChunk, 1);
  return client;
}

async function gone(id: string): Promise<void> {
  await until(() => !rig.client(id).isConnected, `${id} is gone`);
}

const headers = (client: ScriptedClient) =>
  client.of(messageType.codecHeader).map(({ body }) => decodeCodecHeader(body).codec);

describe('controllers are told', () => {
  it('of a new client, its going and its coming back', async () => {
    await start([first]);
    (await player('a')).close();
    await gone('a');
    await player('a');
    expect(rig.takeChanges()).toEqual([
      ['client-added', 'a'],
      ['client-disconnected', 'a'],
      ['client-connected', 'a'],
    ]);
  });

  it('that a client is there again, and not that it went, when it only changes connections', async () => {
    await start([first]);
    const older = await player('a');
    await rig.join('a');
    await older.untilClosed();
    expect(rig.client('a').isConnected).toBe(true);
    expect(rig.takeChanges()).toEqual([
      ['client-added', 'a'],
      ['client-connected', 'a'],
    ]);
  });

  it('of the volume that a client sets itself', async () => {
    await start([first]);
    const a = await player('a');
    rig.takeChanges();
    a.send(jsonMessage(messageType.clientInfo, { volume: 44, muted: true }));
    await until(() => rig.changes.length > 0);
    expect(rig.takeChanges()).toEqual([['client-volume', 'a']]);
    expect(rig.client('a')).toMatchObject({ volume: 44, isMuted: true });
  });

  it('of the client that was forgotten for a new one, and then of the new one', async () => {
    await start([first], { maxClients: 1 });
    (await player('a')).close();
    await gone('a');
    rig.takeChanges();
    await player('b');
    expect(rig.takeChanges()).toEqual([
      ['client-removed', 'a'],
      ['client-added', 'b'],
    ]);
  });

  it('nothing of a connection that never said Hello', async () => {
    await start([first], { helloTimeoutMs: 30 });
    await (await ScriptedClient.connect(rig.port)).untilClosed();
    expect(rig.takeChanges()).toEqual([]);
  });
});

describe('the stream of a group', () => {
  it('is the default one from the start, which is no news', async () => {
    await start(['tone:///?name=Hidden&codec=null', first, second]);
    await player('a');
    expect(rig.group('a').streamId).toBe('First');
    expect(rig.takeChanges()).toEqual([['client-added', 'a']]);
  });

  it('is found when a stream comes, which is news', async () => {
    await start([]);
    const a = await rig.join('a');
    expect(rig.group('a').streamId).toBe('');
    rig.takeChanges();
    await rig.streams.addTrusted(second);
    await a.untilCount(messageType.wireChunk, 3);
    expect(headers(a)).toEqual(['flac']);
    const { id } = rig.group('a');
    const news = rig.takeChanges().filter(([kind]) => kind !== 'stream-state');
    expect(news).toEqual([
      ['stream-added', 'Second'],
      ['group-stream', id],
    ]);
  });

  it('stays the one that was saved until a client connects, although nobody has it', async () => {
    await start([first, second]);
    rig.registry.restore([savedGroup('g', 'Lost', ['a', 'b'])]);
    rig.server.reroute();
    await turn();
    expect(rig.registry.groups.get('g')?.streamId).toBe('Lost');
    const a = await player('a');
    expect(headers(a)).toEqual(['pcm']);
    expect(rig.registry.groups.get('g')?.streamId).toBe('First');
    expect(rig.takeChanges()).toEqual([
      ['group-stream', 'g'],
      ['client-connected', 'a'],
    ]);
  });
});

function savedGroup(id: string, streamId: string, members: readonly string[]): GroupState {
  const clients = members.map((member) => ({
    id: member,
    hello: helloOf(member),
    address: '',
    lastSeenMs: 0,
    name: '',
    latencyMs: 0,
    volume: 100,
    isMuted: false,
    unknown: {},
  }));
  return { id, name: '', streamId, isMuted: false, clients, unknown: {} };
}

describe('a stream that is removed', () => {
  it('is left by all its groups at once, those without connected clients too', async () => {
    await start([second, first]);
    const [a, b] = [await player('a'), await player('b')];
    (await player('away')).close();
    await gone('away');
    rig.groups.setStream(rig.group('b'), 'First');
    rig.takeChanges();
    const channel = rig.streams.channels.get('Second');
    const removal = rig.streams.remove('Second');
    // Without a turn of the event loop.
    expect(channel?.broadcast.subscribers).toBe(0);
    expect(rig.session('a').channel?.id).toBe('First');
    const groups = ['a', 'away'].map((id) => rig.group(id));
    expect(groups.map(({ streamId }) => streamId)).toEqual(['First', 'First']);
    const told = rig.takeChanges();
    expect(told[0]).toEqual(['stream-removed', 'Second']);
    expect(told.slice(1)).toEqual(groups.map(({ id }) => ['group-stream', id]));
    await removal;
    await a.untilCount(messageType.codecHeader, 2);
    expect(headers(a)).toEqual(['flac', 'pcm']);
    expect(headers(b)).toEqual(['flac', 'pcm']);
    expect(rig.log.with('client moved').map(({ fields }) => fields)).toEqual([
      { client: 'a', from: 'Second', to: 'First' },
    ]);
  });

  it('leaves its clients waiting when there is no other one, until one comes', async () => {
    await start([first]);
    const a = await player('a');
    await rig.streams.remove('First');
    expect(rig.session('a').channel).toBeUndefined();
    const count = a.chunks.length;
    a.requestTime(3);
    await a.untilCount(messageType.time, 1);
    expect(a.chunks.length - count).toBeLessThanOrEqual(1);
    await rig.streams.addTrusted(second);
    await a.untilCount(messageType.codecHeader, 2);
    expect(rig.group('a').streamId).toBe('Second');
  });
});

/** No chunk of one of these streams could be taken for one of another. */
const sources = [
  'tone:///?name=0&codec=pcm&sampleformat=48000:16:2',
  'tone:///?name=1&codec=flac&sampleformat=48000:16:2',
  'tone:///?name=2&codec=pcm&sampleformat=8000:16:1',
  'tone:///?name=3&codec=flac&sampleformat=96000:24:2',
  'tone:///?name=4&codec=flac&sampleformat=8000:16:1',
  'tone:///?name=large&codec=pcm&sampleformat=192000:32:8',
];
const fanOuts: readonly (readonly [string, (pool: ChunkPool) => FanOut])[] = [
  ['native', (pool) => nativeFanOut(pool)],
  ['native with zero-copy', (pool) => nativeFanOut(pool, { minBytes: 1, mode: 'always' })],
  ['JavaScript', (pool) => new NodeFanOut(pool)],
];

describe.each(fanOuts)('no chunk of the old stream follows the new header, %s', (_, fanOut) => {
  it('while many change all the time', async () => {
    await start(sources, { fanOut });
    const ids = ['a', 'b', 'c', 'd'];
    const clients: ScriptedClient[] = [];
    for (const id of ids) clients.push(await player(id));
    for (let round = 0; round < 50; round += 1) {
      for (const [index, id] of ids.entries()) {
        rig.groups.setStream(rig.group(id), `${(round + index + 1) % 5}`);
      }
      await pause(round % 15);
    }
    for (const client of clients) {
      await goesOn(client);
      checkOrder(client);
      expect(headers(client)).toHaveLength(51);
    }
  });

  it('when a message of the old one is on its way to a client that does not read', async () => {
    await start(sources, { fanOut });
    const client = await player('a');
    const { connection } = rig.session('a');
    for (const next of ['0', '3']) {
      rig.groups.setStream(rig.group('a'), 'large');
      client.socket.pause();
      await until(() => connection.busySinceUs !== undefined, 'a message waits');
      rig.groups.setStream(rig.group('a'), next);
      await pause(50);
      expect(connection.busySinceUs).toBeDefined();
      client.socket.resume();
      await goesOn(client);
    }
    checkOrder(client);
    expect(headers(client)).toEqual(['pcm', 'pcm', 'pcm', 'pcm', 'flac']);
  });
});

describe.each(['pcm', 'flac'])('a client that is unmuted, %s', (codec) => {
  const times = (client: ScriptedClient) =>
    client.chunks.map(({ body }) => decodeWireChunk(body).timestampUs);

  it('has all of the audio in between when that can still be played', async () => {
    await start([`tone:///?name=Tone&codec=${codec}&sampleformat=48000:16:2`]);
    const client = await player('a');
    for (let round = 0; round < 5; round += 1) {
      rig.groups.setMute(rig.group('a'), true);
      await pause(100);
      rig.groups.setMute(rig.group('a'), false);
      await goesOn(client);
    }
    const distances = times(client).flatMap((time, index, all) => time - (all[index - 1] ?? 0));
    expect(distances.slice(1).every((us) => us > 0)).toBe(true);
    // Half of a chunk stands for the frames that an encoder keeps back.
    expect(Math.max(...distances.slice(1))).toBeLessThan(150_000);
    expect(headers(client)).toEqual([codec]);
  });

  it('begins with the past that can still be played after a long time', async () => {
    await start([`tone:///?name=Tone&codec=${codec}`]);
    const client = await player('a');
    rig.groups.setVolume(rig.client('a'), { muted: true });
    await pause(1200);
    const count = client.chunks.length;
    const nowUs = monotonicClock.nowUs();
    rig.groups.setVolume(rig.client('a'), { muted: false });
    await client.untilCount(messageType.wireChunk, count + 1);
    expect(nowUs - (times(client)[count] ?? nowUs)).toBeGreaterThan(500_000);
  });
});

/** Resolves when the client plays what comes after all that waited for it. */
async function goesOn(client: ScriptedClient): Promise<void> {
  client.requestTime(9);
  await client.untilCount(messageType.time, client.of(messageType.time).length + 1);
  await client.untilCount(messageType.wireChunk, client.chunks.length + 20);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Each chunk has the shape of the stream whose header came last. */
function checkOrder(client: ScriptedClient): void {
  let fits = (_: Buffer) => false;
  let previous = '';
  for (const { type, body } of client.received) {
    if (type === messageType.codecHeader) {
      const { codec, payload } = decodeCodecHeader(body);
      expect(body.toString('hex'), 'an identical header came again').not.toBe(previous);
      previous = body.toString('hex');
      fits = codec === 'pcm' ? pcmShape(payload) : flacShape(payload);
    } else if (type === messageType.wireChunk) {
      const { payload } = decodeWireChunk(body);
      expect(fits(payload), `a chunk that begins with ${payload.toString('hex', 0, 8)}`).toBe(true);
    }
  }
}

/** Chunks of 20 ms, as the RIFF header says. */
function pcmShape(header: Buffer): (payload: Buffer) => boolean {
  const bytesPerSecond = header.readUInt32LE(28);
  return ({ length }) => length === bytesPerSecond / 50;
}

/** FLAC frames that name the rate and width of the stream. Source: RFC 9639, 9.1. */
function flacShape(header: Buffer): (payload: Buffer) => boolean {
  const rateHz = header.readUIntBE(18, 3) >> 4;
  const codes = new Map([
    [8000, 4],
    [48000, 10],
    [96000, 11],
  ]);
  return (payload) =>
    payload.readUInt16BE(0) >> 2 === 0x3ffe && rateCode(payload) === codes.get(rateHz);
}

const rateCode = (payload: Buffer) => payload.readUInt8(2) & 15;
