import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnnouncementStatus } from '../../src/announcements/announcements.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeServerSettings } from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { channelOf, decibels, heardBy, levelOf } from '../support/mix-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const tone = (name: string) =>
  `stream.source=tone:///?name=${name}&codec=pcm&sampleformat=48000:16:2&freq=440&level=-6`;

interface SceneObject {
  readonly name: string;
  readonly groups: readonly {
    readonly id: string;
    readonly stream_id: string;
    readonly clients: readonly { readonly id: string }[];
  }[];
}

let root: string;
let server: TestServer;
let controller: ControlClient;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  root = makeScratchFolder();
});
afterEach(async () => {
  await stop();
  removeScratchFolder(root);
});

async function start(...settings: readonly string[]): Promise<void> {
  const dataFolder = join(root, 'data');
  mkdirSync(dataFolder, { recursive: true });
  const streams = ['Radio', 'Jazz', 'News'].map(tone);
  server = await TestServer.startWith({ dataFolder }, ...streams, ...settings);
  controller = await connect();
}

async function stop(): Promise<void> {
  for (const close of closing.splice(0)) close();
  await server.stop();
}

async function connect(): Promise<ControlClient> {
  const client = await ControlClient.connect(server.controlPort);
  closing.push(() => client.close());
  return client;
}

async function player(id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(server.port, id);
  closing.push(() => client.close());
  await until(() => clientOf(id)?.isConnected === true, `${id} is there`);
  return client;
}

const clientOf = (id: string) => server.application.registry.clients.get(id)!;
const groupOf = (id: string) => clientOf(id).group;
const membersOf = (id: string) => groupOf(id).clients.map((client) => client.id);
const scenes = async () =>
  ((await controller.request('Scene.List')) as { scenes: readonly SceneObject[] }).scenes;
const errorOf = async (method: string, params: object, by = controller) =>
  (await by.ask(method, params)).error;

/** a and b play Jazz in the room Downstairs, c plays News by itself. */
async function evening(): Promise<void> {
  for (const id of ['a', 'b', 'c']) await player(id);
  const id = groupOf('a').id;
  await controller.request('Group.SetClients', { id, clients: ['a', 'b'] });
  await controller.request('Group.SetName', { id, name: 'Downstairs' });
  await controller.request('Group.SetStream', { id, stream_id: 'Jazz' });
  await controller.request('Group.SetStream', { id: groupOf('c').id, stream_id: 'News' });
  for (const [id, percent] of [['a', 20] as const, ['b', 30] as const, ['c', 40] as const])
    await controller.request('Client.SetVolume', { id, volume: { percent, muted: id === 'b' } });
  await controller.request('Group.SetMute', { id: groupOf('c').id, mute: true });
}

/** All in one room, with other streams, volumes and mutes. */
async function party(): Promise<void> {
  const id = groupOf('c').id;
  await controller.request('Group.SetClients', { id, clients: ['c', 'a', 'b'] });
  await controller.request('Group.SetMute', { id, mute: false });
  await controller.request('Group.SetStream', { id, stream_id: 'Radio' });
  for (const client of ['a', 'b', 'c'])
    await controller.request('Client.SetVolume', {
      id: client,
      volume: { percent: 90, muted: false },
    });
}

function expectEvening(): void {
  expect(membersOf('a').toSorted()).toEqual(['a', 'b']);
  expect(groupOf('a')).toMatchObject({ name: 'Downstairs', streamId: 'Jazz', isMuted: false });
  expect(membersOf('c')).toEqual(['c']);
  expect(groupOf('c')).toMatchObject({ streamId: 'News', isMuted: true });
  expect(['a', 'b', 'c'].map((id) => [clientOf(id).volume, clientOf(id).isMuted])).toEqual([
    [20, false],
    [30, true],
    [40, false],
  ]);
}

describe('a scene', () => {
  it('brings back groups, streams, volumes and mutes, and their ids', async () => {
    await start();
    await evening();
    const ids = [groupOf('a').id, groupOf('c').id];
    await controller.request('Client.SetLatency', { id: 'a', latency: 7 });
    await controller.request('Scene.Save', { name: 'Evening' });
    await party();
    await controller.request('Client.SetLatency', { id: 'a', latency: 9 });
    const answer = await controller.request('Scene.Apply', { name: 'Evening' });
    expectEvening();
    expect([groupOf('a').id, groupOf('c').id]).toEqual(ids);
    expect(clientOf('a').latencyMs).toBe(9);
    expect(answer).toMatchObject({ missing: { clients: [], streams: [] } });
    expect((answer as { server: unknown }).server).toEqual(
      ((await controller.request('Server.GetStatus')) as { server: unknown }).server,
    );
  });

  it('is undone by what it answers', async () => {
    await start();
    await evening();
    const party = { groups: [{ id: 'all', clients: ['a', 'b', 'c'].map((id) => ({ id })) }] };
    const { before } = (await controller.request('Scene.Apply', { scene: party })) as {
      before: object;
    };
    expect(membersOf('a')).toHaveLength(3);
    expect(clientOf('a').volume).toBe(20);
    await controller.request('Scene.Apply', { scene: before });
    expectEvening();
  });

  it('tells what is gone, and does the rest', async () => {
    await start();
    await evening();
    await controller.request('Scene.Save', { name: 'Evening' });
    await party();
    await controller.request('Server.DeleteClient', { id: 'b' });
    await controller.request('Stream.RemoveStream', { id: 'News' });
    const answer = await controller.request('Scene.Apply', { name: 'Evening' });
    expect(answer).toMatchObject({ missing: { clients: ['b'], streams: ['News'] } });
    expect(membersOf('a')).toEqual(['a']);
    expect(groupOf('a').streamId).toBe('Jazz');
    expect(groupOf('c')).toMatchObject({ streamId: 'Radio', isMuted: true });
  });

  it('holds for those who are away, too, and leaves others alone', async () => {
    await start();
    await evening();
    await controller.request('Scene.Save', { name: 'Evening' });
    await party();
    const d = await player('d');
    await controller.request('Group.SetClients', {
      id: groupOf('c').id,
      clients: ['c', 'a', 'b', 'd'],
    });
    const e = await player('e');
    const before = { ...clientOf('e') };
    const away = closing.splice(1, 3);
    for (const close of away) close();
    await until(() => !clientOf('a').isConnected && !clientOf('c').isConnected);
    await controller.request('Scene.Apply', { name: 'Evening' });
    expectEvening();
    expect(membersOf('d')).toEqual(['d']);
    expect(groupOf('d').streamId).toBe('Radio');
    expect(clientOf('e')).toMatchObject({ volume: before.volume, group: before.group });
    const a = await player('a');
    await a.untilCount(messageType.wireChunk, 1);
    const [settings] = a.of(messageType.serverSettings);
    expect(decodeServerSettings(settings!.body)).toMatchObject({ volume: 20, muted: false });
    for (const one of [d, e]) expect(one.isClosed).toBe(false);
  });

  it('is one change to other controllers, and none for players that stay as they are', async () => {
    await start();
    await evening();
    const e = await player('e');
    await e.untilCount(messageType.wireChunk, 3);
    await controller.request('Scene.Save', { name: 'Evening' });
    await party();
    const other = await connect();
    await other.request('Server.GetStatus');
    const settings = e.of(messageType.serverSettings).length;
    await controller.request('Scene.Apply', { name: 'Evening' });
    await until(() => other.inbox.notifications('Server.OnUpdate').length > 0);
    const [update] = other.inbox.notifications('Server.OnUpdate');
    expect(update?.params?.server).toEqual(
      ((await other.request('Server.GetStatus')) as { server: unknown }).server,
    );
    expect([...other.notified.keys()].filter((name) => !name.startsWith('Stream.'))).toEqual([
      'Server.OnUpdate',
    ]);
    expect(other.notified.get('Server.OnUpdate')).toBe(1);
    const { length } = e.chunks;
    await e.untilCount(messageType.wireChunk, length + 5);
    expect(e.of(messageType.serverSettings)).toHaveLength(settings);
    expect((await heardBy(e)).gaps).toEqual([]);
    expect((await heardBy(e)).headers).toBe(1);
  });

  it('is there after a restart, with a file that is as before without one', async () => {
    await start();
    await evening();
    await controller.request('Scene.Save', { name: 'Evening' });
    await controller.request('Scene.Save', { name: '<b>Night</b>' });
    const saved = await scenes();
    await stop();
    await start();
    expect(await scenes()).toEqual(saved);
    expect((await controller.request('Scene.Apply', { name: 'Evening' })) as object).toMatchObject({
      missing: { clients: [], streams: [] },
    });
    expectEvening();
    for (const { name } of saved) await controller.request('Scene.Delete', { name });
    await stop();
    const file = JSON.parse(readFileSync(join(root, 'data', 'server.json'), 'utf8'));
    expect(Object.keys(file)).toEqual(['ConfigVersion', 'Groups']);
    await start();
    expect(await scenes()).toEqual([]);
  });

  it('is saved, replaced, renamed and deleted, and controllers that know scenes are told', async () => {
    await start();
    await evening();
    const other = await connect();
    expect(await other.request('Scene.List')).toEqual({ scenes: [] });
    const stranger = await connect();
    await controller.request('Scene.Save', { name: ' Evening ' });
    expect((await errorOf('Scene.Save', { name: 'Evening' }))?.data).toMatch(/^exists: /);
    await controller.request('Scene.Save', { name: 'Evening', replace: true });
    expect(await controller.request('Scene.Rename', { name: 'Evening', newName: 'Late' })).toEqual({
      name: 'Late',
    });
    const { scene } = (await controller.request('Scene.Delete', { name: 'Late' })) as {
      scene: SceneObject;
    };
    expect(scene.groups.flatMap(({ clients }) => clients.map(({ id }) => id))).toHaveLength(3);
    await controller.request('Scene.Save', { name: 'Again', scene });
    expect((await scenes())[0]?.groups).toEqual(scene.groups);
    await until(() => other.inbox.notifications('Scene.OnUpdate').length === 5);
    expect(stranger.inbox.notifications('Scene.OnUpdate')).toEqual([]);
  });

  it.each([
    ['Scene.Apply', { name: 'x' }, -32603, /^unknown-scene: there is no scene "x"$/],
    ['Scene.Apply', {}, -32602, /name.*scene/],
    ['Scene.Apply', { name: 'x', scene: {} }, -32602, /name.*scene/],
    ['Scene.Apply', { scene: 7 }, -32603, /^bad-scene: scene is not an object$/],
    ['Scene.Apply', { scene: { groups: [{ id: 'g', clients: 'a' }] } }, -32603, /^bad-scene: /],
    ['Scene.Save', {}, -32602, /name/],
    ['Scene.Save', { name: 7 }, -32603, /name/],
    ['Scene.Save', { name: '\u202eevil' }, -32603, /^bad-name: /],
    ['Scene.Save', { name: 'Empty' }, -32603, /^bad-scene: groups is empty$/],
    ['Scene.Rename', { name: 'x', newName: 'y' }, -32603, /^unknown-scene: /],
    ['Scene.Delete', { name: 'x' }, -32603, /^unknown-scene: /],
  ])('is refused with a reason: %s %j', async (method, params, code, data) => {
    await start();
    expect(await errorOf(method, params)).toMatchObject({
      code,
      data: expect.stringMatching(data),
    });
    expect(await scenes()).toEqual([]);
  });

  it('needs the permission of each method', async () => {
    await start(
      'authorization.enabled=true',
      'authorization.role=guest:Scene.List,Scene.Apply,Server.GetStatus,Streaming',
      'authorization.user=ann:secret:guest',
    );
    const login = { scheme: 'Plain', param: 'ann:secret' };
    expect((await errorOf('Scene.List', {}))?.code).toBe(401);
    await controller.request('Server.Authenticate', login);
    expect(await scenes()).toEqual([]);
    expect((await errorOf('Scene.Apply', { name: 'x' }))?.data).toMatch(/^unknown-scene/);
    for (const method of ['Scene.Save', 'Scene.Rename', 'Scene.Delete'])
      expect((await errorOf(method, { name: 'x' }))?.code).toBe(403);
  });

  it('is listed among the methods', async () => {
    await start();
    const { commands } = (await controller.request('General.GetRPCCommands')) as {
      commands: readonly { method: string }[];
    };
    expect(commands.map(({ method }) => method).filter((name) => /^Scene/.test(name))).toEqual(
      ['Apply', 'Delete', 'List', 'Rename', 'Save'].map((name) => `Scene.${name}`),
    );
  });
});

describe('a scene during an announcement', () => {
  it('moves those who hear it, who hear it to its end', async () => {
    await start('announce.attack_ms=5', 'announce.duck_db=-20');
    const a = await player('a');
    const b = await player('b');
    for (const client of [a, b]) await client.untilCount(messageType.wireChunk, 20);
    await controller.request('Scene.Save', { name: 'Apart' });
    await controller.request('Group.SetClients', { id: groupOf('a').id, clients: ['a', 'b'] });
    const played = (await controller.request('Announce.Play', {
      chime: 'alert',
      targets: { clients: ['a'] },
    })) as AnnouncementStatus;
    await until(() => Date.now() > played.heardAt! + 50, 'it is heard');
    const { before } = (await controller.request('Scene.Apply', { name: 'Apart' })) as {
      before: object;
    };
    expect(membersOf('a')).toEqual(['a']);
    await controller.request('Scene.Apply', { scene: before });
    expect(membersOf('a')).toHaveLength(2);
    const states = () =>
      controller.inbox
        .notifications('Announce.OnUpdate')
        .map(({ params }) => String(params?.state));
    await until(() => states().includes('done'), 'it is over');
    for (const client of [a, b]) {
      const count = client.chunks.length;
      await client.until(() => client.chunks.length > count + 50, 'more audio');
      const heard = await heardBy(client);
      expect([heard.gaps, heard.headers]).toEqual([[], 1]);
      const samples = channelOf(heard.pcm, heard.format).subarray(-24_000);
      expect(decibels(levelOf(samples, 440, 48_000))).toBeCloseTo(-6, 1);
    }
  });

  it('of another program changes the music under it, and nothing else', async () => {
    await start('announce.adopt_ma=true');
    const a = await player('a');
    await a.untilCount(messageType.wireChunk, 5);
    await controller.request('Scene.Save', { name: 'Radio' });
    await controller.request('Group.SetStream', { id: groupOf('a').id, stream_id: 'Jazz' });
    const announcer = 'ma (announcement)';
    const streamUri = `tone:///?name=${announcer}&codec=pcm&sampleformat=48000:16:2`;
    await controller.request('Stream.AddStream', { streamUri });
    await controller.request('Group.SetStream', { id: groupOf('a').id, stream_id: announcer });
    const { before } = (await controller.request('Scene.Apply', { name: 'Radio' })) as {
      before: SceneObject;
    };
    expect(before.groups[0]?.stream_id).toBe('Jazz');
    expect(groupOf('a')).toMatchObject({ streamId: announcer, underId: 'Radio' });
    await controller.request('Stream.RemoveStream', { id: announcer });
    await until(() => groupOf('a').streamId === 'Radio');
  });
});
