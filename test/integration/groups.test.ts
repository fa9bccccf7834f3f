import { afterEach, describe, expect, it } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { jsonMessage } from '../support/mutations.ts';
import { codecsOf, PlayerRig, type PlayerRigOptions } from '../support/player-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { until } from '../support/waiting.ts';

const first = 'tone:///?name=First&codec=pcm';
const second = 'tone:///?name=Second&codec=flac';
let rig: PlayerRig;

afterEach(async () => {
  expect(await rig.close(), 'the pool is full').toBe(true);
});

async function start(sources: readonly string[], options?: PlayerRigOptions): Promise<void> {
  rig = await PlayerRig.open(sources, options);
}

async function gone(id: string): Promise<void> {
  await until(() => !rig.client(id).isConnected, `${id} is gone`);
}

describe('controllers are told', () => {
  it('of a new client, its going and its coming back', async () => {
    await start([first]);
    (await rig.playing('a')).close();
    await gone('a');
    await rig.playing('a');
    expect(rig.takeChanges()).toEqual([
      ['client-added', 'a'],
      ['client-disconnected', 'a'],
      ['client-connected', 'a'],
    ]);
  });

  it('of the volume that a client sets itself', async () => {
    await start([first]);
    const a = await rig.playing('a');
    rig.takeChanges();
    a.send(jsonMessage(messageType.clientInfo, { volume: 44, muted: true }));
    await until(() => rig.changes.length > 0);
    expect(rig.takeChanges()).toEqual([['client-volume', 'a']]);
    expect(rig.client('a')).toMatchObject({ volume: 44, isMuted: true });
  });

  it('of the client that was forgotten for a new one, and then of the new one', async () => {
    await start([first], { maxClients: 1 });
    (await rig.playing('a')).close();
    await gone('a');
    rig.takeChanges();
    await rig.playing('b');
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
    await rig.playing('a');
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
    expect(codecsOf(a)).toEqual(['flac']);
    const { id } = rig.group('a');
    const news = rig.takeChanges().filter(([kind]) => kind !== 'stream-state');
    expect(news).toEqual([
      ['stream-added', 'Second'],
      ['group-stream', id],
    ]);
  });
});

describe('a stream whose producer has moved', () => {
  const moved = (port: number) => `tcp://127.0.0.1:${port}?name=PipeWire&mode=client&codec=flac`;

  it('keeps its groups, those without connected clients too, and its place', async () => {
    await start([first]);
    const old = await rig.streams.add(moved(9));
    await rig.streams.addTrusted(second);
    const a = await rig.playing('a');
    (await rig.playing('away')).close();
    await gone('away');
    for (const id of ['a', 'away']) rig.groups.setStream(rig.group(id), 'PipeWire');
    rig.takeChanges();
    const channel = await rig.streams.add(moved(8));
    expect(channel).not.toBe(old);
    expect(rig.session('a').channel).toBe(channel);
    expect(old.broadcast.subscribers).toBe(0);
    for (const id of ['a', 'away']) expect(rig.group(id).streamId).toBe('PipeWire');
    expect([...rig.streams.channels.keys()]).toEqual(['First', 'PipeWire', 'Second']);
    expect(rig.takeChanges().filter(([kind]) => kind !== 'stream-state')).toEqual([
      ['stream-removed', 'PipeWire'],
      ['stream-added', 'PipeWire'],
    ]);
    await a.untilCount(messageType.codecHeader, 3);
    expect(codecsOf(a)).toEqual(['pcm', 'flac', 'flac']);
  });

  it('keeps them also when it is removed while it moves', async () => {
    await start([first]);
    await rig.streams.add(moved(9));
    await rig.playing('a');
    rig.groups.setStream(rig.group('a'), 'PipeWire');
    const moving = rig.streams.add(moved(8));
    await rig.streams.remove('PipeWire');
    await moving;
    expect([...rig.streams.channels.keys()]).toEqual(['First']);
    expect(rig.played('a')).toBe('First');
    expect(rig.session('a').channel?.id).toBe('First');
  });
});

describe('a stream that is removed', () => {
  it('is left by all its groups at once, those without connected clients too', async () => {
    await start([second, first]);
    const [a, b] = [await rig.playing('a'), await rig.playing('b')];
    (await rig.playing('away')).close();
    await gone('away');
    rig.groups.setStream(rig.group('b'), 'First');
    rig.takeChanges();
    const channel = rig.streams.channels.get('Second');
    const removal = rig.streams.remove('Second');
    // Without a turn of the event loop.
    expect(channel?.broadcast.subscribers).toBe(0);
    expect(rig.session('a').channel?.id).toBe('First');
    const groups = ['a', 'away'].map((id) => rig.group(id));
    expect(['a', 'away'].map((id) => rig.played(id))).toEqual(['First', 'First']);
    const told = rig.takeChanges();
    expect(told[0]).toEqual(['stream-removed', 'Second']);
    expect(told.slice(1)).toEqual(groups.map(({ id }) => ['group-stream', id]));
    await removal;
    await a.untilCount(messageType.codecHeader, 2);
    expect(codecsOf(a)).toEqual(['flac', 'pcm']);
    expect(codecsOf(b)).toEqual(['flac', 'pcm']);
    expect(rig.log.with('client moved').map(({ fields }) => fields)).toEqual([
      { client: 'a', from: 'Second', to: 'First' },
    ]);
  });

  it('leaves its clients waiting when there is no other one, until one comes', async () => {
    await start([first]);
    const a = await rig.playing('a');
    await rig.streams.remove('First');
    expect(rig.session('a').channel).toBeUndefined();
    const count = a.chunks.length;
    a.requestTime(3);
    await a.untilCount(messageType.time, 1);
    expect(a.chunks.length - count).toBeLessThanOrEqual(1);
    await rig.streams.addTrusted(second);
    await a.untilCount(messageType.codecHeader, 2);
    expect(rig.played('a')).toBe('Second');
  });
});
