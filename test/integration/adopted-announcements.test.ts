import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnnouncementStatus } from '../../src/announcements/announcements.ts';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { ControlClient } from '../support/control-client.ts';
import { feedTcp } from '../support/feeder.ts';
import { channelOf, heardBy, levelOf, sine, wavePcm } from '../support/mix-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { freePort } from '../support/server-process.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const format = SampleFormat.parse('48000:16:2');
const tone = (name: string) =>
  `stream.source=tone:///?name=${name}&codec=pcm&sampleformat=${format}&freq=440&level=-6`;
const music = 10 ** (-6 / 20);

let server: TestServer;
let controller: ControlClient;
const closing: (() => unknown)[] = [];

async function start(...settings: readonly string[]): Promise<void> {
  server = await TestServer.start(
    'stream.buffer=1000',
    tone('default'),
    tone('other'),
    'announce.attack_ms=50',
    'announce.release_ms=50',
    ...settings,
  );
  controller = await ControlClient.connect(server.controlPort);
}

afterEach(async () => {
  for (const close of closing.splice(0)) close();
  controller.close();
  await server.stop();
});

const groupOf = (id: string) => server.application.registry.clients.get(id)!.group;

/** A player of a group of its own that hears music. */
async function player(id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(server.port, id);
  closing.push(() => client.close());
  await client.until(() => client.chunks.length > 10, 'music');
  return client;
}

interface Announcer {
  readonly id: string;
  readonly port: number;
}

/** What Music Assistant does first: a stream of its own. */
async function addStream(number = 1): Promise<Announcer> {
  const port = await freePort();
  const name = `Music Assistant - ma${number} (announcement)`;
  const streamUri = `tcp://0.0.0.0:${port}?sampleformat=${format}&idle_threshold=60000&name=${name}`;
  expect(await controller.request('Stream.AddStream', { streamUri })).toEqual({ id: name });
  return { id: name, port };
}

const setStream = (group: string, stream_id: string) =>
  controller.request('Group.SetStream', { id: group, stream_id });

const removeStream = (id: string) => controller.request('Stream.RemoveStream', { id });

/** What its ffmpeg does once it has started, to the end or until the server hangs up. */
async function push({ port }: Announcer, ms: number): Promise<void> {
  // The first answer comes when all that announcements need is loaded.
  await playing();
  const frames = format.framesIn(ms);
  const pcm = wavePcm(format, { first: 0, frames, sample: sine(48_000, 1000, 0.25) });
  return feedTcp(port, pcm).catch(() => undefined);
}

async function shownStream(id: string): Promise<string> {
  const { groups } = await controller.status();
  return groups.find(({ clients }) => clients.some((client) => client.id === id))!.stream_id;
}

/** The level of a frequency in each 50 ms. */
async function levelsOf(client: ScriptedClient, hz: number): Promise<number[]> {
  const { pcm } = await heardBy(client);
  const samples = channelOf(pcm, format);
  return Array.from({ length: Math.floor(samples.length / 2400) }, (_, index) =>
    levelOf(samples.subarray(index * 2400, (index + 1) * 2400), hz, 48_000),
  );
}

async function more(client: ScriptedClient, chunks = 30): Promise<void> {
  const count = client.chunks.length;
  await client.until(() => client.chunks.length > count + chunks, 'more audio');
}

const hearsAnnouncement = async (client: ScriptedClient) =>
  (await levelsOf(client, 1000)).some((level) => level > 0.2);

/** As many of them are mixed over the music. */
async function untilAnnounced(count = 1): Promise<void> {
  await expect.poll(playing, { interval: 10, timeout: 10_000 }).toBe(count);
}

async function playing(): Promise<number> {
  const list = (await controller.request('Announce.List')) as {
    readonly announcements: readonly AnnouncementStatus[];
  };
  return list.announcements.filter(({ state }) => state === 'playing').length;
}

/** Nothing but music, without a gap or another header, from now on. */
async function expectMusicAgain(client: ScriptedClient): Promise<void> {
  await untilAnnounced(0);
  const { variants } = server.application.streams.channels.get('default')!;
  await until(() => variants.size === 0);
  await more(client);
  const heard = await heardBy(client);
  expect(heard).toMatchObject({ gaps: [], headers: 1 });
  const last = (await levelsOf(client, 440)).slice(-4);
  for (const level of last) expect(level).toBeCloseTo(music, 1.5);
  expect((await levelsOf(client, 1000)).at(-1)).toBeLessThan(0.003);
}

describe('Music Assistant, whose announcements are adopted,', () => {
  beforeEach(() => start('announce.adopt_ma=true'));

  it('is heard over the music, which goes down, and sees what it expects to see', async () => {
    const [client, other] = [await player('a'), await player('b')];
    const group = groupOf('a').id;
    const announcer = await addStream();
    expect(await setStream(group, announcer.id)).toEqual({ stream_id: announcer.id });
    expect(await shownStream('a')).toBe(announcer.id);
    await controller.request('Client.SetVolume', { id: 'a', volume: { percent: 80 } });
    const pushed = push(announcer, 1500);
    await untilAnnounced();
    await pushed;
    // It waits for as long as a buffer.
    await more(client, 50);
    expect(await setStream(group, 'default')).toEqual({ stream_id: 'default' });
    expect(await removeStream(announcer.id)).toEqual({ id: announcer.id });
    expect(await shownStream('a')).toBe('default');
    await expectMusicAgain(client);
    const [voice, under] = [await levelsOf(client, 1000), await levelsOf(client, 440)];
    const loud = voice.flatMap((level, index) => (level > 0.24 ? [index] : []));
    // All of it but what is in the blocks at its beginning and end.
    expect(loud.length).toBeGreaterThan(26);
    const down = loud.slice(1, -1).map((index) => under[index]! / music);
    for (const ratio of down) expect(20 * Math.log10(ratio)).toBeCloseTo(-15, 0);
    expect(await hearsAnnouncement(other)).toBe(false);
    expect(await heardBy(other)).toMatchObject({ gaps: [], headers: 1 });
  });

  it('announces to two groups at once, each by a stream of its own', async () => {
    const clients = [await player('a'), await player('b')];
    const groups = ['a', 'b'].map((id) => groupOf(id).id);
    const announcers = [await addStream(1), await addStream(2)];
    for (const index of [0, 1]) await setStream(groups[index]!, announcers[index]!.id);
    const pushed = announcers.map((announcer) => push(announcer, 600));
    await untilAnnounced(2);
    await Promise.all(pushed);
    for (const client of clients) await more(client);
    for (const client of clients) expect(await hearsAnnouncement(client)).toBe(true);
    for (const index of [0, 1]) {
      await setStream(groups[index]!, 'default');
      await removeStream(announcers[index]!.id);
    }
    for (const client of clients) await expectMusicAgain(client);
  });

  it('removes the stream before it switches back: the group has its old one again', async () => {
    const client = await player('a');
    const group = groupOf('a').id;
    const announcer = await addStream();
    await setStream(group, announcer.id);
    const pushed = push(announcer, 600);
    await untilAnnounced();
    await pushed;
    await more(client);
    expect(await hearsAnnouncement(client)).toBe(true);
    await removeStream(announcer.id);
    expect(await shownStream('a')).toBe('default');
    await expectMusicAgain(client);
    // The next one has the same name.
    const again = await addStream();
    await setStream(group, again.id);
    await more(client);
    expect(await heardBy(client)).toMatchObject({ gaps: [], headers: 1 });
  });

  it('never pushes anything: the music goes on as it was', async () => {
    const client = await player('a');
    const announcer = await addStream();
    await setStream(groupOf('a').id, announcer.id);
    await more(client);
    await setStream(groupOf('a').id, 'default');
    await removeStream(announcer.id);
    await expectMusicAgain(client);
    for (const level of await levelsOf(client, 440)) expect(level).toBeCloseTo(music, 1.5);
  });

  it('is stopped when another controller gives the group another stream', async () => {
    const client = await player('a');
    const announcer = await addStream();
    await setStream(groupOf('a').id, announcer.id);
    const pushed = push(announcer, 3000);
    await untilAnnounced();
    await setStream(groupOf('a').id, 'other');
    await client.untilCount(messageType.codecHeader, 2);
    await untilAnnounced(0);
    const last = client.received.findLastIndex(({ type }) => type === messageType.codecHeader);
    client.received.splice(0, last);
    await more(client);
    expect(await hearsAnnouncement(client)).toBe(false);
    expect(await heardBy(client)).toMatchObject({ gaps: [], headers: 1 });
    await removeStream(announcer.id);
    await pushed;
  });

  it('is heard alone when the old stream of the group goes', async () => {
    const client = await player('a');
    await setStream(groupOf('a').id, 'other');
    await client.untilCount(messageType.codecHeader, 2);
    const announcer = await addStream();
    await setStream(groupOf('a').id, announcer.id);
    const pushed = push(announcer, 3000);
    await untilAnnounced();
    await removeStream('other');
    await client.untilCount(messageType.codecHeader, 3);
    const last = client.received.findLastIndex(({ type }) => type === messageType.codecHeader);
    client.received.splice(0, last);
    expect(await shownStream('a')).toBe(announcer.id);
    await removeStream(announcer.id);
    await client.untilCount(messageType.codecHeader, 2);
    expect(await shownStream('a')).toBe('default');
    await pushed;
  });

  it('may go on while the server stops, which remembers the old stream', async () => {
    await player('a');
    await setStream(groupOf('a').id, 'other');
    const announcer = await addStream();
    await setStream(groupOf('a').id, announcer.id);
    const pushed = push(announcer, 3000);
    await untilAnnounced();
    expect(server.application.registry.groups.get(groupOf('a').id)).toMatchObject({
      streamId: announcer.id,
      underId: 'other',
    });
    await server.stop();
    await pushed;
    await start('announce.adopt_ma=true');
  });
});

it('Music Assistant switches streams as ever while that is not asked for', async () => {
  await start();
  const client = await player('a');
  const announcer = await addStream();
  await setStream(groupOf('a').id, announcer.id);
  await client.untilCount(messageType.codecHeader, 2);
  expect(groupOf('a').underId).toBeUndefined();
});
