import { afterEach, describe, expect, it } from 'vitest';
import type { AnnouncementStatus } from '../../src/announcements/announcements.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { ControlClient } from '../support/control-client.ts';
import { channelOf, type Heard, heardBy, levelOf } from '../support/mix-rig.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { until } from '../support/waiting.ts';

const tone = (name: string, codec: string) =>
  `tone:///?name=${name}&codec=${codec}&sampleformat=48000:16:2&freq=440&level=-6`;
const music = tone('music', 'flac');
const other = tone('other', 'pcm');
/** A busy machine may be late. */
const settings = (duckDb: number) =>
  `resync_tolerance = 800\n[announce]\nduck_db = ${duckDb}\nattack_ms = 5\n`;

let rig: ReloadRig;
let controller: ControlClient;
const clients: ScriptedClient[] = [];

afterEach(async () => {
  controller.close();
  for (const client of clients.splice(0)) client.close();
  await rig.close();
});

/** Players of the stream `music`, each in a group of its own. */
async function start(...ids: readonly string[]): Promise<readonly ScriptedClient[]> {
  rig = await ReloadRig.start(sources(music, other) + settings(-20));
  controller = await ControlClient.connect(rig.application.ports.control);
  const players: ScriptedClient[] = [];
  for (const id of ids) players.push(await player(id));
  return players;
}

async function player(id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(rig.application.ports.streaming, id);
  clients.push(client);
  await client.untilCount(messageType.wireChunk, 20);
  return client;
}

const groupOf = (id: string) => rig.application.registry.clients.get(id)!.group.id;

/** A long one is heard by now. */
async function announce(targets: object): Promise<AnnouncementStatus> {
  const params = { chime: 'alert', repeat: 3, gain_db: 6, targets };
  const status = (await controller.request('Announce.Play', params)) as AnnouncementStatus;
  await until(() => Date.now() > status.heardAt! + 50, 'it is heard');
  return status;
}

const updatesOf = (id: string) =>
  controller.inbox
    .notifications('Announce.OnUpdate')
    .flatMap(({ params }) => (params?.id === id ? [params as unknown as AnnouncementStatus] : []));

async function over({ id }: AnnouncementStatus): Promise<AnnouncementStatus> {
  const ends = ['done', 'stopped', 'interrupted', 'expired', 'error'];
  await until(() => ends.includes(updatesOf(id).at(-1)?.state ?? ''), 'it is over');
  const channels = () => [...rig.application.streams.channels.values()];
  await until(() => channels().every(({ variants }) => variants.size === 0), 'no variant');
  expect(await controller.request('Announce.List')).toEqual({ announcements: [] });
  return updatesOf(id).at(-1)!;
}

async function more(players: readonly ScriptedClient[]): Promise<void> {
  for (const client of players) {
    const { length } = client.chunks;
    await client.until(() => client.chunks.length > length + 50, 'more audio');
  }
}

/** All of it has come, and in the end it is the music. */
async function expectWhole(players: readonly ScriptedClient[]): Promise<void> {
  await more(players);
  for (const client of players) {
    const heard = await heardBy(client);
    expect([heard.gaps, heard.headers]).toEqual([[], 1]);
    expectMusic(heard);
  }
}

/** Of the last half a second that a player got: the music alone, as loud as it is. */
function expectMusic({ pcm, format }: Heard): void {
  const samples = channelOf(pcm, format).subarray(-format.rateHz / 2);
  const all = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  expect(levelOf(samples, 440, format.rateHz)).toBeCloseTo(10 ** (-6 / 20), 2);
  expect(all * Math.SQRT2).toBeCloseTo(10 ** (-6 / 20), 2);
}

/** Forgets what a player got of a stream that has been replaced. */
function fromLastHeader(client: ScriptedClient): void {
  const last = client.received.findLastIndex(({ type }) => type === messageType.codecHeader);
  client.received.splice(0, last);
}

describe.each([
  ['all who hear its stream', { streams: ['music'] }],
  ['some of them', { clients: ['a'] }],
])('an announcement for %s, when the configuration is read again,', (_, targets) => {
  it('goes on when its stream does, whatever else changes', async () => {
    const players = await start('a', 'b');
    const status = await announce(targets);
    await rig.reload(sources(music) + settings(-40));
    expect(rig.streams).toEqual(['music']);
    expect(updatesOf(status.id).at(-1)?.state).toBe('playing');
    expect((await over(status)).state).toBe('done');
    await expectWhole(players);
  });

  it.each([
    ['is replaced', [tone('music', 'pcm'), other]],
    ['goes', [other]],
  ])('ends when its stream %s, and players go on with what takes its place', async (_, left) => {
    const players = await start('a', 'b');
    const status = await announce(targets);
    await rig.reload(sources(...left) + settings(-20));
    expect(await over(status)).toMatchObject({
      state: 'stopped',
      reason: 'none of its targets is left',
    });
    for (const client of players) {
      await client.untilCount(messageType.codecHeader, 2);
      fromLastHeader(client);
    }
    await expectWhole(players);
    expect((await announce({ all: true })).state).toBe('playing');
    await controller.request('Announce.Stop', { targets: { all: true } });
  });
});

describe('an announcement for a group', () => {
  it('is heard to its end by those who were in it, also where they go to another one', async () => {
    const players = await start('a', 'b', 'c');
    await controller.request('Group.SetClients', { id: groupOf('a'), clients: ['a', 'b'] });
    const status = await announce({ groups: [groupOf('a')] });
    await controller.request('Group.SetClients', { id: groupOf('c'), clients: ['c', 'b'] });
    expect(rig.application.registry.clients.get('b')!.group.clients).toHaveLength(2);
    const variants = () => rig.application.streams.channels.get('music')!.variants;
    const [variant] = variants();
    const heard = [...rig.application.server.sessions].filter((one) => one.variant === variant);
    expect(heard.map(({ client }) => client?.id).sort()).toEqual(['a', 'b']);
    expect((await over(status)).state).toBe('done');
    await expectWhole(players);
  });

  it('is heard again by one that goes and comes back', async () => {
    const [a, b] = await start('a', 'b');
    const status = await announce({ clients: ['a'] });
    a!.close();
    await until(() => !rig.application.registry.clients.get('a')!.isConnected, 'it has gone');
    const again = await player('a');
    expect(updatesOf(status.id).at(-1)?.state).toBe('playing');
    const [session] = [...rig.application.server.sessions].filter(
      ({ client }) => client?.id === 'a',
    );
    expect(session?.variant).toBeDefined();
    expect((await over(status)).state).toBe('done');
    await expectWhole([again, b!]);
  });
});
