import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnnouncementStatus } from '../../src/announcements/announcements.ts';
import type { RecentAnnouncement } from '../../src/announcements/recent-announcements.ts';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeServerSettings } from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { channelOf, heardBy, levelOf, sine, wavePcm } from '../support/mix-rig.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { type Received, ScriptedClient } from '../support/scripted-client.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const music = 'stream.source=tone:///?name=music&codec=pcm&sampleformat=48000:16:2&level=-6';
const more = 'stream.source=tone:///?name=more&codec=pcm&sampleformat=44100:16:2&level=-6';
/** Short ramps, so that what plays is over soon. */
const quick = ['attack_ms=5', 'hold_ms=0', 'release_ms=5', 'wake_ms=50'].map(
  (setting) => `announce.${setting}`,
);

let server: TestServer;
let controller: ControlClient;
const closing: (() => unknown)[] = [];

async function start(...settings: readonly string[]): Promise<void> {
  server = await TestServer.start('stream.buffer=300', ...quick, ...settings);
  controller = await ControlClient.connect(server.controlPort);
}

/** A player of one stream, in a group of its own. */
async function player(id: string, streamId = 'music'): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(server.port, id);
  closing.push(() => client.close());
  const group = () => server.application.registry.clients.get(id)?.group.id;
  await until(() => group() !== undefined);
  await controller.request('Group.SetStream', { id: group(), stream_id: streamId });
  return client;
}

const play = (params: object) =>
  controller.request('Announce.Play', params) as Promise<AnnouncementStatus>;

/** The states that a controller was told of, in order. */
function statesOf(id: string, heard = controller): string[] {
  return heard.inbox
    .notifications('Announce.OnUpdate')
    .filter(({ params }) => params?.id === id)
    .map(({ params }) => String(params?.state));
}

async function over(id: string, heard = controller): Promise<string[]> {
  const ends = ['done', 'stopped', 'interrupted', 'expired', 'error'];
  const isOver = () => ends.includes(statesOf(id, heard).at(-1) ?? '');
  await until(isOver, `announcement ${id} to be over`);
  return statesOf(id, heard);
}

/** Mono WAV of a tone. */
function wav(ms: number, rateHz = 16_000): Buffer {
  const format = SampleFormat.parse(`${rateHz}:16:1`);
  const frames = format.framesIn(ms);
  const pcm = wavePcm(format, { first: 0, frames, sample: sine(rateHz, 1000, 0.25) });
  return wavFile(pcm, { rateHz, channels: 1 });
}

async function post(query: string, options: RequestInit = {}) {
  const url = `http://127.0.0.1:${server.httpPort}/announce${query}`;
  const response = await fetch(url, { method: 'POST', ...options });
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text) };
}

function upload(bytes: Buffer, fields: Readonly<Record<string, string>> = {}): RequestInit {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  body.append('clip', new Blob([new Uint8Array(bytes)]), 'bell.wav');
  return { body };
}

afterEach(async () => {
  for (const close of closing.splice(0)) close();
  controller.close();
  await server.stop();
});

describe('an urgent announcement', () => {
  const bufferMs = 2000;

  beforeEach(() =>
    start(`stream.buffer=${bufferMs}`, 'announce.allowed_host=127.0.0.1', music, more),
  );

  /** A player of music whose past is kept, since an urgent one that came no sooner than others. */
  async function listener(id: string): Promise<ScriptedClient> {
    const client = await player(id);
    await client.until(() => client.chunks.length > bufferMs / 20, 'a buffer of music');
    const askedMs = Date.now();
    const first = await play({ chime: 'tick', urgent: true });
    expect(first.heardAt! - askedMs).toBeGreaterThanOrEqual(bufferMs * 0.9);
    await over(first.id);
    const count = client.chunks.length;
    await client.until(() => client.chunks.length > count + bufferMs / 20, 'a buffer of music');
    return client;
  }

  const headersOf = (client: ScriptedClient) => client.of(messageType.codecHeader).length;

  it('is heard long before the buffer is over, and says so', async () => {
    const client = await listener('a');
    const other = await player('b', 'more');
    await other.untilCount(messageType.codecHeader, 2);
    const [before, others] = [headersOf(client), headersOf(other)];
    const group = server.application.registry.clients.get('a')!.group.id;
    const askedMs = Date.now();
    const { status, json } = await post(`?chime=tick&urgent=1&group=${group}`);
    expect(status).toBe(202);
    expect(json().heardAt - askedMs).toBeLessThan(0.3 * bufferMs);
    expect(await over(json().id)).toEqual(['queued', 'playing', 'done']);
    expect(Date.now() - askedMs).toBeLessThan(0.8 * bufferMs);
    expect([headersOf(client), headersOf(other)]).toEqual([before + 1, others]);
  });

  it('does not wait until a lower one has faded out', async () => {
    await listener('a');
    const lower = await play({ chime: 'dingdong', duck: { release_ms: 5000 } });
    const askedMs = Date.now();
    const bell = await play({ chime: 'ding', urgent: true });
    expect(bell.heardAt! - askedMs).toBeLessThan(0.3 * bufferMs);
    await over(bell.id);
    expect(await over(lower.id)).toEqual(['queued', 'playing', 'interrupted']);
  });

  it('that is still being spoken waits until so much of it is there as is played at once', async () => {
    const client = await listener('a');
    const clip = wav(4000);
    const slow = createServer(async (_, response) => {
      for (let at = 0; at < clip.length; at += 3200) {
        response.write(clip.subarray(at, at + 3200));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      response.end();
    });
    closing.push(() => slow.close());
    slow.listen(0, '127.0.0.1');
    await once(slow, 'listening');
    const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}/`;
    const { id } = await play({ url, urgent: true, loudness: 'off' });
    await until(() => statesOf(id).includes('playing'), 'it plays');
    const { announcements } = (await controller.request('Announce.List')) as {
      announcements: AnnouncementStatus[];
    };
    const [{ heardAt = 0 } = {}] = announcements;
    await over(id);
    const last = client.received.findLastIndex(({ type }) => type === messageType.codecHeader);
    const heard = await heardBy({ received: client.received.slice(last) });
    const samples = channelOf(heard.pcm, heard.format);
    const loud = samples.findIndex((sample) => Math.abs(sample) > 0.01);
    for (let ms = 100; ms < 3900; ms += 50) {
      const first = loud + 48 * ms;
      expect(levelOf(samples.subarray(first, first + 2400), 1000, 48_000)).toBeGreaterThan(0.2);
    }
    expect(heardAt).toBeGreaterThan(0);
  });
});

describe('an announcement', () => {
  beforeEach(() => start(music, more));

  it('is played and told of to those who know of announcements, and to no others', async () => {
    await player('a');
    const old = await ControlClient.connect(server.controlPort);
    closing.push(() => old.close());
    const watcher = await ControlClient.connect(server.controlPort);
    closing.push(() => watcher.close());
    expect(await watcher.request('Announce.List')).toEqual({ announcements: [] });
    const before = Date.now();
    const accepted = await play({ chime: 'tick', tag: 'test' });
    expect(accepted).toMatchObject({ state: 'playing', tag: 'test', targets: { all: true } });
    expect(accepted.duration).toBe(60);
    expect(accepted.heardAt).toBeGreaterThan(before);
    expect(accepted.heardAt).toBeLessThan(Date.now() + 1500);
    for (const heard of [controller, watcher]) {
      expect(await over(accepted.id, heard)).toEqual(['queued', 'playing', 'done']);
    }
    expect(Date.now()).toBeGreaterThanOrEqual(accepted.heardAt! + 60);
    await old.request('Server.GetRPCVersion');
    expect(old.inbox.notifications('Announce.OnUpdate')).toEqual([]);
  });

  it('changes nothing of what controllers see of streams, clients and groups', async () => {
    await player('a');
    const before = await controller.status();
    const { id } = await play({ chime: 'tick' });
    expect((await controller.status()).groups[0]).toEqual({
      ...before.groups[0],
      clients: [expect.objectContaining({ config: before.groups[0]!.clients[0]!.config })],
    });
    await over(id);
    const methods = [...controller.notified.keys()];
    expect(methods.filter((method) => method.startsWith('Client.OnV'))).toEqual([]);
    expect(methods).not.toContain('Group.OnStreamChanged');
  });

  it('waits for another one, in order, and can be stopped while it waits', async () => {
    await player('a');
    const first = await play({ chime: 'dingdong' });
    const [second, third] = [await play({ chime: 'tick' }), await play({ chime: 'tick' })];
    expect([first, second, third].map(({ state }) => state)).toEqual([
      'playing',
      'queued',
      'queued',
    ]);
    const { announcements } = (await controller.request('Announce.List')) as {
      announcements: AnnouncementStatus[];
    };
    expect(announcements.map(({ id }) => id)).toEqual([first, second, third].map(({ id }) => id));
    expect(await controller.request('Announce.Stop', { id: second.id })).toEqual({
      stopped: [second.id],
    });
    expect(await over(second.id)).toEqual(['queued', 'stopped']);
    expect(await controller.request('Announce.Stop', { id: first.id })).toEqual({
      stopped: [first.id],
    });
    expect(await over(first.id)).toEqual(['queued', 'playing', 'stopped']);
    expect(await over(third.id)).toEqual(['queued', 'playing', 'done']);
  });

  it('is stopped with all others of its tag, and with no more than those', async () => {
    await player('a');
    const first = await play({ chime: 'dingdong', tag: 'door' });
    const other = await play({ chime: 'tick', tag: 'oven' });
    const second = await play({ chime: 'tick', tag: 'door' });
    expect(await controller.request('Announce.Stop', { tag: 'door' })).toEqual({
      stopped: [first.id, second.id],
    });
    expect(await over(other.id)).toEqual(['queued', 'playing', 'done']);
  });

  it('of high priority interrupts another one', async () => {
    await player('a');
    const low = await play({ chime: 'dingdong', priority: 'low' });
    const high = await play({ chime: 'tick', priority: 'high' });
    expect(await over(low.id)).toEqual(['queued', 'playing', 'interrupted']);
    expect(await over(high.id)).toEqual(['queued', 'playing', 'done']);
  });

  it('for other streams does not wait', async () => {
    await player('a');
    await player('b', 'more');
    const first = await play({ chime: 'dingdong', targets: { streams: ['music'] } });
    const second = await play({ chime: 'tick', targets: { streams: ['more'] } });
    expect([first.state, second.state]).toEqual(['playing', 'playing']);
    expect(await over(second.id)).toEqual(['queued', 'playing', 'done']);
    expect(statesOf(first.id)).toEqual(['queued', 'playing']);
  });

  it('takes the place of those that wait under the same tag, if it is to', async () => {
    await player('a');
    await play({ chime: 'dingdong' });
    const old = await play({ chime: 'tick', tag: 'door' });
    const other = await play({ chime: 'tick' });
    await play({ chime: 'tick', tag: 'door', replace: true });
    expect(await over(old.id)).toEqual(['queued', 'stopped']);
    expect(statesOf(other.id)).toEqual(['queued']);
  });

  it.each([
    ['is not connected', async (client: ScriptedClient) => client.close()],
    [
      'is not known any more',
      async (client: ScriptedClient) => {
        client.close();
        const record = () => server.application.registry.clients.get('a');
        await until(() => record()?.isConnected === false);
        await controller.request('Server.DeleteClient', { id: 'a' });
        expect(record()).toBeUndefined();
      },
    ],
  ])('is stopped by its target, though that %s', async (_, leave) => {
    const client = await player('a');
    const targets = { clients: ['a'] };
    const { id } = await play({ chime: 'dingdong', targets, repeat: 10 });
    await leave(client);
    expect(await controller.request('Announce.Stop', { targets })).toEqual({ stopped: [id] });
    expect((await over(id)).at(-1)).toBe('stopped');
    const { error } = await controller.ask('Announce.Stop', { targets: { clients: ['b'] } });
    expect(error?.data).toMatch(/^unknown-target: there is no client "b"/);
  });

  it('is stopped by all, though none of them is connected', async () => {
    const client = await player('a');
    const { id } = await play({ chime: 'dingdong', repeat: 10 });
    client.close();
    await until(() => server.application.registry.clients.get('a')?.isConnected === false);
    const targets = { all: true };
    expect(await controller.request('Announce.Stop', { targets })).toEqual({ stopped: [id] });
    await over(id);
  });

  it('is stopped by who has come to the stream and hears it, and by no others', async () => {
    await player('a');
    const { id } = await play({ chime: 'dingdong', repeat: 10 });
    await player('b', 'more');
    await player('c');
    const stop = (client: string) =>
      controller.request('Announce.Stop', { targets: { clients: [client] } });
    expect(await stop('b')).toEqual({ stopped: [] });
    expect(await stop('c')).toEqual({ stopped: [id] });
    await over(id);
  });

  it('is dropped when it has waited too long', async () => {
    await player('a');
    await play({ chime: 'dingdong' });
    const late = await play({ chime: 'tick', expire_ms: 100 });
    expect(await over(late.id)).toEqual(['queued', 'expired']);
  });

  it('is refused when too many wait, by the name of the target', async () => {
    await player('a');
    await play({ chime: 'dingdong' });
    for (let count = 0; count < 8; count += 1) await play({ chime: 'tick' });
    const { error } = await controller.ask('Announce.Play', { chime: 'tick' });
    expect(error).toEqual({
      code: -32603,
      message: 'Internal error',
      data: expect.stringMatching(/^queue-full: .*(client a|stream music)/),
    });
    await controller.request('Announce.Stop', { targets: { all: true } });
  });

  it('is heard at the time that was asked for', async () => {
    await player('a');
    const at = Date.now() + 1500;
    const { state, id } = await play({ chime: 'tick', at });
    expect(['queued', 'playing']).toContain(state);
    await over(id);
    const [told] = controller.inbox
      .notifications('Announce.OnUpdate')
      .filter(({ params }) => params?.id === id && params?.state === 'playing');
    expect(Math.abs(Number(told?.params?.heardAt) - at)).toBeLessThan(5);
  });

  it('ends when the streams that it is heard on go', async () => {
    await player('a');
    const { id } = (await controller.request('Stream.AddStream', {
      streamUri: 'tone:///?name=new&codec=pcm',
    })) as { id: string };
    await player('b', id);
    const accepted = await play({ chime: 'dingdong', targets: { streams: [id] } });
    await controller.request('Stream.RemoveStream', { id });
    expect((await over(accepted.id)).at(-1)).toBe('stopped');
  });

  it.each([
    ['a client', { clients: ['nobody'] }, /^unknown-target: there is no client "nobody"/],
    ['a group', { groups: ['nowhere'] }, /^unknown-target: there is no group "nowhere"/],
    ['a stream', { streams: ['none'] }, /^unknown-target: there is no stream "none"/],
  ])('for %s that is not there is refused', async (_, targets, data) => {
    await player('a');
    const { error } = await controller.ask('Announce.Play', { chime: 'tick', targets });
    expect(error).toMatchObject({ code: -32603, data: expect.stringMatching(data) });
  });

  it('that nobody would hear is refused', async () => {
    const { error } = await controller.ask('Announce.Play', { chime: 'tick' });
    expect(error).toMatchObject({ data: expect.stringMatching(/^nobody-listens: /) });
  });

  it('names the chimes and the clips that there are', async () => {
    expect(await controller.request('Announce.GetClips')).toEqual({
      chimes: ['ding', 'dingdong', 'alert', 'tick', 'ticks'],
      clips: [],
      speech: false,
      duck_db: -15,
      limits: { seconds: 120, upload_bytes: 16 * 1024 * 1024 },
    });
  });
});

describe('an announcement that follows the loudness of the music', () => {
  /** The loudest of 1 kHz in what a player heard of one, dB. */
  async function loudnessOf(client: ScriptedClient, query: string): Promise<number> {
    client.received.splice(1, client.received.length);
    const { json } = await post(query, upload(wav(600)));
    await over(json().id);
    const header = client.received.find(({ type }) => type === messageType.codecHeader);
    if (!header) client.received.unshift(headerOf.get(client)!);
    const { pcm, format } = await heardBy(client);
    const samples = channelOf(pcm, format);
    const step = format.rateHz / 20;
    const parts = Array.from({ length: Math.floor(samples.length / step) }, (_, index) =>
      samples.subarray(index * step, (index + 1) * step),
    );
    const levels = parts.map((part) => levelOf(part, 1000, format.rateHz));
    return 20 * Math.log10(Math.max(...levels));
  }

  const headerOf = new Map<ScriptedClient, Received>();

  it('is 4 LU above it, also behind another one, and as usual over quiet music', async () => {
    const loud = 'stream.source=tone:///?name=music&codec=pcm&sampleformat=48000:16:2&level=-14';
    const quiet = 'stream.source=tone:///?name=more&codec=pcm&sampleformat=48000:16:2&level=-40';
    await start(loud, quiet);
    const [a, b] = [await player('a'), await player('b', 'more')];
    await controller.request('Announce.List');
    for (const client of [a, b]) {
      await client.until(() => client.chunks.length > 0, 'music');
      headerOf.set(client, client.of(messageType.codecHeader).at(-1)!);
    }
    const usual = await loudnessOf(a, '?stream=music');
    const above = await loudnessOf(a, '?stream=music&loudness=follow');
    // A sine of 440 Hz and −14 dBFS on both sides has −14.6 LUFS.
    expect(above - usual).toBeCloseTo(-14.6 + 4 + 16, -0.3);
    await play({ chime: 'tick', targets: { streams: ['music'] }, loudness: 'follow' });
    const behind = await loudnessOf(a, '?stream=music&loudness=follow');
    expect(behind).toBeCloseTo(above, -0.3);
    expect(await loudnessOf(b, '?stream=more&loudness=follow')).toBeCloseTo(usual, -0.3);
  });
});

describe('announcements where nothing plays', () => {
  it('that wait for each other are one time of playing for players and controllers', async () => {
    const folder = makeScratchFolder();
    closing.push(() => removeScratchFolder(folder));
    await start(
      `stream.source=pipe://${folder}/quiet?name=quiet&codec=pcm&sampleformat=48000:16:2`,
    );
    const client = await player('a', 'quiet');
    const states = () =>
      controller.inbox
        .notifications('Stream.OnUpdate')
        .map(({ params }) => (params?.stream as { status: string } | undefined)?.status);
    const played = [await play({ chime: 'tick' }), await play({ chime: 'tick' })];
    for (const { id } of played) expect((await over(id)).at(-1)).toBe('done');
    await until(() => states().includes('idle'), 'the stream is idle');
    expect(states()).toEqual(['playing', 'idle']);
    expect(await heardBy(client)).toMatchObject({ gaps: [], headers: 1 });
  });
});

describe('an announcement for some players', () => {
  beforeEach(() => start(music));

  /** The loudest of 2 kHz, of which the chime is made, in 50 ms of what a player heard. */
  async function chimeLevel(client: ScriptedClient): Promise<number> {
    const { pcm, format } = await heardBy(client);
    const samples = channelOf(pcm, format);
    const step = format.rateHz / 20;
    const parts = Array.from({ length: Math.floor(samples.length / step) }, (_, index) =>
      samples.subarray(index * step, (index + 1) * step),
    );
    return Math.max(...parts.map((part) => levelOf(part, 2000, format.rateHz)));
  }

  it.each([
    ['clients by id', { clients: ['a'] }],
    ['clients by name', { clients: ['Kitchen'] }],
    ['groups by name', { groups: ['Downstairs'] }],
  ])('given as %s is heard by them alone, and tells no other controller', async (_, targets) => {
    const [meant, other] = [await player('a'), await player('b')];
    const old = await ControlClient.connect(server.controlPort);
    closing.push(() => old.close());
    await controller.request('Client.SetName', { id: 'a', name: 'Kitchen' });
    const group = server.application.registry.clients.get('a')!.group.id;
    await controller.request('Group.SetName', { id: group, name: 'Downstairs' });
    await old.inbox.told('Group.OnNameChanged');
    old.inbox.messages.length = 0;
    const { id } = await play({ chime: 'tick', targets });
    expect(await over(id)).toEqual(['queued', 'playing', 'done']);
    expect(await chimeLevel(meant)).toBeGreaterThan(0.02);
    expect(await chimeLevel(other)).toBeLessThan(0.001);
    for (const client of [meant, other]) expect((await heardBy(client)).gaps).toEqual([]);
    // The complete status still tells of the players that have come.
    const told = old.inbox.notifications().map(({ method }) => method);
    expect(told.filter((method) => method !== 'Server.OnUpdate')).toEqual([]);
  });

  it('with a volume of its own raises quiet players and unmutes others, which no controller sees', async () => {
    const [quiet] = [await player('a'), await player('b')];
    await controller.request('Client.SetVolume', { id: 'a', volume: { percent: 2 } });
    const volumes = () =>
      quiet!.of(messageType.serverSettings).map(({ body }) => decodeServerSettings(body).volume);
    await quiet!.until(() => volumes().at(-1) === 2, 'its volume');
    const before = await controller.status();
    await controller.request('Announce.List');
    const watcher = await ControlClient.connect(server.controlPort);
    closing.push(() => watcher.close());
    const { status, json } = await post('?chime=dingdong&volume=60&client=a');
    expect(status).toBe(202);
    await quiet!.until(() => volumes().at(-1)! > 2, 'it is raised');
    const config = (of: typeof before) => of.groups.map(({ clients }) => clients[0]!.config);
    expect(config(await controller.status())).toEqual(config(before));
    expect(await over(json().id)).toEqual(['queued', 'playing', 'done']);
    await quiet!.until(() => volumes().at(-1) === 2, 'its volume again');
    expect(watcher.inbox.notifications('Client.OnVolumeChanged')).toEqual([]);
    await controller.request('Client.SetVolume', { id: 'a', volume: { muted: true } });
    const unmuted = await post('?chime=tick&override_mute=1&client=a');
    const mutes = () =>
      quiet!.of(messageType.serverSettings).map(({ body }) => decodeServerSettings(body).muted);
    await quiet!.until(() => mutes().slice(-3).join() === 'true,false,true', 'it was unmuted');
    expect(await over(unmuted.json().id)).toEqual(['queued', 'playing', 'done']);
    expect(watcher.inbox.notifications('Client.OnVolumeChanged')).toHaveLength(1);
    expect(await post('?chime=tick&volume=101')).toMatchObject({
      status: 400,
      text: expect.stringMatching(/'volume': allowed: a number from 0 to 100 %/),
    });
  });

  it('goes on when they change their group, and ends when all of them go', async () => {
    const meant = await player('a');
    await player('b');
    const { id } = await play({ chime: 'dingdong', targets: { clients: ['a'] } });
    const group = server.application.registry.clients.get('b')!.group.id;
    await controller.request('Group.SetClients', { id: group, clients: ['b', 'a'] });
    expect(statesOf(id).at(-1)).toBe('playing');
    meant.close();
    expect(['stopped', 'done']).toContain((await over(id)).at(-1));
  });

  it('does not wait for one for others', async () => {
    await player('a');
    await player('b');
    const first = await play({ chime: 'dingdong', targets: { clients: ['a'] } });
    const second = await play({ chime: 'tick', targets: { clients: ['b'] } });
    const third = await play({ chime: 'tick', targets: { clients: ['a', 'b'] } });
    expect([first, second, third].map(({ state }) => state)).toEqual([
      'playing',
      'playing',
      'queued',
    ]);
    await controller.request('Announce.Stop', { targets: { all: true } });
    expect(await over(third.id)).toEqual(['queued', 'stopped']);
  });
});

describe('fifty announcements at once', () => {
  const ranks = ['low', 'normal', 'high'];

  interface Asked extends AnnouncementStatus {
    readonly rank: number;
    /** Which of the players. */
    readonly whom: readonly string[];
  }

  /** Those that waited when `one` began, though they should have gone before. */
  function passedOver(one: Asked, all: readonly Asked[]): readonly string[] {
    const told = controller.inbox.notifications('Announce.OnUpdate').map(({ params }) => params!);
    const begin = told.findIndex(({ id, state }) => id === one.id && state === 'playing');
    const waiting = new Set(told.slice(0, begin).map(({ id }) => id));
    for (const { id, state } of told.slice(0, begin)) if (state !== 'queued') waiting.delete(id);
    return all
      .filter(({ id, whom }) => waiting.has(id) && whom.some((player) => one.whom.includes(player)))
      .filter(({ rank, id }) => {
        const isEarlier = all.findIndex((other) => other.id === id) < all.indexOf(one);
        return rank > one.rank || (rank === one.rank && isEarlier);
      })
      .map(({ id }) => id);
  }

  const heard = ({ id }: AnnouncementStatus) => {
    const told = controller.inbox
      .notifications('Announce.OnUpdate')
      .filter(({ params }) => params?.id === id);
    const { heardAt, duration, state } = told.at(-1)!.params as unknown as AnnouncementStatus;
    return { fromMs: heardAt ?? 0, untilMs: (heardAt ?? 0) + (duration ?? 0), state };
  };

  it('are played by priority and in their order or refused, one at a time at a player, and leave nothing', async () => {
    // A busy machine may be late.
    await start(music, more, 'stream.resync_tolerance=1500');
    const whom = [['a'], ['b'], ['c'], ['a', 'b'], ['c', 'd'], ['a', 'b', 'c', 'd']];
    const clients = [await player('a'), await player('b'), await player('c', 'more')];
    clients.push(await player('d', 'more'), await player('e'), await player('f', 'more'));
    for (const client of clients) await client.until(() => client.chunks.length > 20, 'music');
    for (const { received } of clients) {
      received.splice(
        0,
        received.findLastIndex(({ type }) => type === messageType.codecHeader),
      );
    }
    // What is loaded with the first one is not opened by those that are counted.
    await over((await play({ chime: 'tick' })).id);
    const descriptors = readdirSync('/proc/self/fd').length;
    const asked = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const rank = (index * 7) % 3;
        const clients = whom[index % whom.length]!;
        const params = { chime: 'tick', targets: { clients }, priority: ranks[rank] };
        const { result, error } = await controller.ask('Announce.Play', params);
        return { ...(result as AnnouncementStatus), error, rank, whom: clients };
      }),
    );
    const taken = asked.filter(({ error }) => !error);
    for (const { error } of asked) if (error) expect(error.data).toMatch(/^queue-full: /);
    expect(taken.length).toBeGreaterThan(12);
    for (const { id } of taken) expect(['done', 'interrupted']).toContain((await over(id)).at(-1));
    const played = taken.filter(({ id }) => statesOf(id).includes('playing'));
    for (const one of played) expect(passedOver(one, taken)).toEqual([]);
    const whole = played.filter((one) => heard(one).state === 'done');
    expect(whole.length).toBeGreaterThan(6);
    for (const one of whole) {
      const { fromMs, untilMs } = heard(one);
      const others = whole.filter(
        (other) => other !== one && other.whom.some((player) => one.whom.includes(player)),
      );
      // Times are rounded.
      const overlapping = others.filter(
        (other) => heard(other).fromMs < untilMs - 2 && heard(other).untilMs > fromMs + 2,
      );
      expect(overlapping).toEqual([]);
    }
    expect(await controller.request('Announce.List')).toEqual({ announcements: [] });
    const channels = [...server.application.streams.channels.values()];
    await until(() => channels.every(({ variants }) => variants.size === 0), 'no variant');
    const encoded = channels.map(({ variantFigures }) => variantFigures.encodedChunks);
    for (const client of clients) {
      const { length } = client.chunks;
      await client.until(() => client.chunks.length > length + 20, 'music');
      expect((await heardBy(client)).gaps).toEqual([]);
    }
    expect(channels.map(({ variantFigures }) => variantFigures.encodedChunks)).toEqual(encoded);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptors);
  });
});

describe.skipIf(snapclientIsMissing)('at a real player', { retry: 2 }, () => {
  it('an announcement is heard when its answer says so', async () => {
    const quiet = 'stream.source=process:///bin/sleep?name=quiet&codec=pcm&params=60';
    await start(quiet, 'announce.wake_ms=300');
    const client = await Snapclient.start({ port: server.port, hostId: 'real' });
    closing.push(() => client.kill());
    await until(() => server.application.registry.clients.get('real')?.isConnected === true);
    const { heardAt, id } = await play({ chime: 'ding' });
    await over(id);
    const format = SampleFormat.parse('48000:16:2');
    const { pcm, heardAtMs } = await client.stop(format);
    const first = channelOf(pcm, format).findIndex((sample) => Math.abs(sample) > 0.01);
    expect(Math.abs(heardAtMs(first) - heardAt!)).toBeLessThan(30);
  });
});

describe('POST /announce', () => {
  beforeEach(() => start(music));

  it('takes a query, JSON, a form, a file in a form, and a file as it is', async () => {
    await player('a');
    const json = { 'Content-Type': 'application/json' };
    const requests = [
      post('?chime=tick&all'),
      post('', { body: '{"chime":"tick","targets":{"all":true}}', headers: json }),
      post('', { body: new URLSearchParams({ chime: 'tick', stream: 'music' }) }),
      post('?stream=music', upload(wav(100), { duck_db: '-20' })),
      post('', { body: new Uint8Array(wav(100)), headers: { 'Content-Type': 'audio/wav' } }),
    ];
    for (const { status, json } of await Promise.all(requests)) {
      expect(json()).toMatchObject({ id: expect.any(String) });
      expect(status).toBe(202);
    }
    await controller.request('Announce.Stop', { targets: { all: true } });
  });

  it('keeps no upload while its sound waits', async () => {
    await player('a');
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const usedBytes = () => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const short = wav(100);
    const padding = Buffer.alloc(8 + 4 * 2 ** 20);
    padding.write('LIST');
    padding.writeUInt32LE(padding.length - 8, 4);
    const padded = Buffer.concat([short.subarray(0, 36), padding, short.subarray(36)]);
    const beforeBytes = usedBytes();
    const inAnHour = String(Date.now() + 3_600_000);
    for (let count = 0; count < 6; count += 1) {
      expect(await post('', upload(padded, { at: inAnHour }))).toMatchObject({ status: 202 });
    }
    await until(() => usedBytes() - beforeBytes < 2 * padded.length, 'uploads to be forgotten');
    await controller.request('Announce.Stop', { targets: { all: true } });
  });

  it('answers when it was heard if that is waited for', async () => {
    await player('a');
    const { status, json } = await post('?wait=1', upload(wav(200)));
    expect(status).toBe(200);
    expect(json()).toMatchObject({ state: 'done', duration: 200 });
    expect(Date.now()).toBeGreaterThanOrEqual(json().heardAt + 200);
  });

  it('only takes POST', async () => {
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/announce?chime=tick`);
    expect(response.status).toBe(405);
    expect(response.headers.get('Allow')).toBe('POST, OPTIONS');
  });

  it('refuses pages of others', async () => {
    await player('a');
    const headers = { Origin: 'http://evil.example' };
    expect((await post('?chime=tick', { headers })).status).toBe(403);
  });

  it.each<[string, string, RequestInit, number, object]>([
    ['nothing to play', '', {}, 400, { error: 'bad-parameter' }],
    ['a bad number', '?chime=tick&duck_db=3', {}, 400, { error: 'bad-parameter' }],
    ['an unknown client', '?chime=tick&client=x', {}, 404, { error: 'unknown-target' }],
    ['an unknown clip', '?file=none.wav', {}, 404, { error: 'unknown-clip' }],
    ['a bad name of a clip', '?file=../../etc/passwd', {}, 400, { error: 'bad-name' }],
    ['no sound', '', upload(Buffer.from('<html>')), 415, { error: 'bad-clip' }],
    ['a private address', '?url=http://127.0.0.1:9/', {}, 403, { error: 'not-allowed' }],
    ['a text without a program', '?text=hello', {}, 501, { error: 'no-speech' }],
  ])('refuses %s and says why', async (_, query, options, status, fault) => {
    await player('a');
    const answer = await post(query, options);
    expect(answer.json()).toMatchObject({ ...fault, message: expect.stringMatching(/\w{3}/) });
    expect(answer.status).toBe(status);
  });

  it('refuses an upload that is too large', async () => {
    const { status, text } = await post('', upload(Buffer.alloc(17 * 1024 * 1024)));
    expect(status).toBe(413);
    expect(text).toMatch(/longer than/);
  });

  it.each([
    ['JSON', 'application/json', '{"chime":"tick","tag":"'],
    ['form', 'application/x-www-form-urlencoded', 'chime=tick&tag='],
    [
      'form with parts',
      'multipart/form-data; boundary=x',
      '--x\r\nContent-Disposition: form-data; name="tag"\r\n\r\n',
    ],
  ])('refuses parameters as %s that are longer than any are', async (_, type, head) => {
    await player('a');
    const body = `${head}${'x'.repeat(200_000)}"}\r\n--x--\r\n`;
    const { status, text } = await post('', { body, headers: { 'Content-Type': type } });
    expect(text).toMatch(/parameters are longer than/);
    expect(status).toBe(413);
  });

  it('names the candidates of an ambiguous name', async () => {
    await player('a');
    await player('b');
    const { status, json } = await post('?chime=tick&client=host');
    expect(status).toBe(409);
    expect(json()).toMatchObject({
      error: 'ambiguous-target',
      message: '2 clients are called "host", give an id: a, b',
    });
  });
});

describe('an announcement that is fetched', () => {
  it('is played when it is there, and told of when it cannot be had', async () => {
    await start(music, 'announce.allowed_host=127.0.0.1');
    await player('a');
    const sound = wav(200);
    const web = createServer(({ url }, response) => {
      if (url === '/late') setTimeout(() => response.end(sound), 500);
      else if (url === '/broken') setTimeout(() => response.writeHead(500).end(), 500);
      else response.writeHead(404).end();
    });
    await once(web.listen(0, '127.0.0.1'), 'listening');
    closing.push(() => web.close());
    const base = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    const late = await play({ url: `${base}/late` });
    expect(late.state).toBe('fetching');
    expect(await over(late.id)).toEqual(['fetching', 'queued', 'playing', 'done']);
    const broken = await play({ url: `${base}/broken` });
    expect(await over(broken.id)).toEqual(['fetching', 'error']);
    const { error } = await controller.ask('Announce.Play', { url: `${base}/none` });
    expect(error).toMatchObject({ code: -32603, data: 'fetch-failed: 404 Not Found' });
  });
});

describe('an announcement by text', () => {
  it('is spoken by the program of the configuration, which gets the text as its input', async () => {
    const program = `/bin/sh -c 'read text; test "$text" = "It is 8." && cat /dev/stdin >&2; exec ffmpeg -v error -f lavfi -i sine=duration=0.2 -f wav pipe:1'`;
    await start(music, `announce.tts_command=${program}`);
    await player('a');
    const { id } = await play({ text: 'It is 8.' });
    expect((await over(id)).at(-1)).toBe('done');
  });

  it('that its program cannot say fails with its last words', async () => {
    await start(music, `announce.tts_command=/bin/sh -c 'echo no voice >&2; exit 3'`);
    await player('a');
    const reason = 'speech-failed: tts_command: no voice';
    const { error } = await controller.ask('Announce.Play', { text: 'hello' });
    // What fails soon is the answer, too.
    if (error) expect(error).toMatchObject({ data: reason });
    const updates = () => controller.inbox.notifications('Announce.OnUpdate');
    await until(() => updates().at(-1)?.params?.state === 'error');
    expect(updates().at(-1)?.params).toMatchObject({ reason });
    const logged = server.log.with('announcement').at(-1);
    expect(logged?.fields).toMatchObject({ state: 'error', reason });
  });

  it('is refused where as many programs run as may', async () => {
    const source = 'stream.source=process:///bin/sleep?name=sleeper&params=60';
    await start(music, source, 'limits.max_children=1', 'announce.tts_command=/bin/true');
    await player('a');
    const { error } = await controller.ask('Announce.Play', { text: 'hello' });
    expect(error).toMatchObject({
      data: expect.stringMatching(/^busy: 1 programs .* run already/),
    });
  });
});

describe('a stream that announces', () => {
  const folder = makeScratchFolder();
  const fifo = `${folder}/tts`;
  afterAll(() => removeScratchFolder(folder));

  /** Says something for as long as it is written. */
  async function speak(ms: number): Promise<void> {
    const format = SampleFormat.parse('16000:16:1');
    const frames = format.framesIn(ms);
    const pcm = wavePcm(format, { first: 0, frames, sample: sine(16_000, 1000, 0.25) });
    await writeFile(fifo, pcm);
  }

  /** Amplitudes of the music and of what is spoken, per 50 ms of what a player heard. */
  async function levelsOf(client: ScriptedClient) {
    const { pcm, format } = await heardBy(client);
    const samples = channelOf(pcm, format);
    const step = format.rateHz / 20;
    return Array.from({ length: Math.floor(samples.length / step) }, (_, index) => {
      const part = samples.subarray(index * step, (index + 1) * step);
      const [music, speech] = [440, 1000].map((hz) => levelOf(part, hz, format.rateHz));
      return { music: music!, speech: speech! };
    });
  }

  // A busy machine that reads late is no silence.
  const source = `pipe://${fifo}?name=TTS&announce=all&duck_db=-40&sampleformat=16000:16:1&idle_threshold=2000`;
  beforeEach(() => start(`stream.source=${source}`, music));

  it('is no stream that players play or controllers see', async () => {
    await ScriptedClient.greet(server.port, 'a').then((client) =>
      closing.push(() => client.close()),
    );
    const { groups, streams } = await controller.status();
    expect(streams.map(({ id }) => id)).toEqual(['music']);
    expect(groups.map(({ stream_id }) => stream_id)).toEqual(['music']);
    const status = await controller.ask('Group.SetStream', { id: groups[0]?.id, stream_id: 'TTS' });
    expect(status.error).toMatchObject({ data: 'Stream not found' });
  });

  it('is mixed over the others while something is written, and again', async () => {
    const client = await player('a');
    await controller.request('Announce.List');
    const spoken = () => statesOfAll().filter((state) => state === 'done').length;
    for (const count of [1, 2]) {
      await speak(600);
      await until(() => spoken() === count, `announcement ${count} is over`);
    }
    const levels = await levelsOf(client);
    const loud = levels.filter(({ speech }) => speech > 0.2);
    expect(loud.length).toBeGreaterThanOrEqual(2 * 10);
    expect(loud.length).toBeLessThanOrEqual(2 * 13);
    expect(Math.max(...loud.map(({ music }) => music))).toBeLessThan(0.1);
    expect(levels.at(-1)).toEqual({
      music: expect.closeTo(10 ** (-6 / 20), 2),
      speech: expect.closeTo(0, 2),
    });
  });

  it('that is stopped by a controller stays so until it has been silent', async () => {
    await player('a');
    await controller.request('Announce.List');
    const speaking = speak(2000);
    await until(() => statesOfAll().includes('playing'));
    await controller.request('Announce.Stop', { targets: { all: true } });
    await until(() => statesOfAll().includes('stopped'));
    await speaking;
    // What was written is still in the pipe.
    const { channels } = server.application.streams;
    await until(() => channels.get('TTS')?.stream.state === 'idle');
    expect(statesOfAll().filter((state) => state === 'playing')).toHaveLength(1);
    await speak(300);
    await until(() => statesOfAll().includes('done'));
  });

  it('that plays longer than it may is stopped, and stays so until it has been silent', async () => {
    controller.close();
    await server.stop();
    await start(`stream.source=${source}&max_seconds=1&idle_threshold=2000`, music);
    await player('a');
    await controller.request('Announce.List');
    const speaking = speak(4000);
    await until(() => statesOfAll().includes('stopped'));
    await speaking;
    const { channels } = server.application.streams;
    await until(() => channels.get('TTS')?.stream.state === 'idle');
    expect(statesOfAll().filter((state) => state === 'playing')).toHaveLength(1);
    await speak(300);
    await until(() => statesOfAll().includes('done'));
  });

  it('that is stopped and silent before the music is back is heard the next time', async () => {
    const client = await player('a');
    await controller.request('Announce.List');
    await controller.request('Stream.RemoveStream', { id: 'TTS' });
    const slow = `pipe://${fifo}?name=TTS&announce=all&release_ms=6000&sampleformat=16000:16:1`;
    await server.application.streams.addTrusted(`${slow}&idle_threshold=50`);
    const speaking = speak(1000);
    await until(() => statesOfAll().includes('playing'));
    const count = client.chunks.length;
    await client.until(() => client.chunks.length > count + 25, 'speech');
    const { channels } = server.application.streams;
    await controller.request('Announce.Stop', { targets: { all: true } });
    await speaking;
    await until(() => channels.get('TTS')?.stream.state === 'idle');
    expect(statesOfAll()).not.toContain('stopped');
    await until(() => statesOfAll().includes('stopped'));
    await speak(300);
    await until(() => statesOfAll().includes('done'));
  });

  it('goes with its stream', async () => {
    await player('a');
    await controller.request('Announce.List');
    void speak(3000).catch(() => undefined);
    await until(() => statesOfAll().includes('playing'));
    await controller.request('Stream.RemoveStream', { id: 'TTS' });
    await until(() => statesOfAll().includes('stopped'));
    expect(await controller.request('Announce.List')).toEqual({ announcements: [] });
  });

  function statesOfAll(): string[] {
    return controller.inbox
      .notifications('Announce.OnUpdate')
      .map(({ params }) => String(params?.state));
  }
});

describe('the last announcements', () => {
  const recent = async () =>
    ((await controller.request('Announce.GetRecent')) as { announcements: RecentAnnouncement[] })
      .announcements;

  it('are remembered, each once, without what is secret or was uploaded', async () => {
    await start(music, 'announce.allowed_host=127.0.0.1');
    await player('a');
    const clients = { clients: ['a'] };
    await play({ chime: 'tick', targets: clients });
    await play({ chime: 'ding' });
    const url = 'http://127.0.0.1:1/speech?token=secret';
    const { error } = await controller.ask('Announce.Play', { url });
    expect(error?.data).toMatch(/^fetch-failed: /);
    const form = upload(wav(50), { tag: 'Dinner' });
    expect((await post('', form)).status).toBe(202);
    const again = await play({ chime: 'tick', targets: clients });
    await over(again.id);
    const list = await recent();
    expect(list.map(({ kind, label, again: may }) => [kind, label, may])).toEqual([
      ['chime', 'tick', true],
      ['upload', 'Dinner', false],
      ['url', '127.0.0.1:1', true],
      ['chime', 'ding', true],
    ]);
    expect(list[0]).toMatchObject({ id: again.id, state: 'done', targets: { clients: ['a'] } });
    expect(JSON.stringify(list)).not.toContain('secret');
  });

  it('can be played again, but for uploads', async () => {
    await start(music);
    await player('a');
    const first = await play({ chime: 'tick', tag: 'door', at: Date.now() + 500 });
    await over(first.id);
    const beforeMs = Date.now();
    const { id, heardAt, heardIn } = (await controller.request('Announce.PlayAgain', {
      id: first.id,
    })) as AnnouncementStatus;
    const toldMs = heardAt! - heardIn!;
    expect(toldMs).toBeGreaterThanOrEqual(beforeMs);
    expect(toldMs).toBeLessThanOrEqual(Date.now());
    expect(await over(id)).toEqual(['queued', 'playing', 'done']);
    expect((await recent()).map((one) => one.id)).toEqual([id]);
    await post('', upload(wav(50)));
    const [uploaded] = await recent();
    const refusal = async (id: string) =>
      (await controller.ask('Announce.PlayAgain', { id })).error?.data;
    expect(await refusal(uploaded!.id)).toMatch(/^not-kept: /);
    expect(await refusal('none')).toMatch(/^unknown-announcement: /);
    // Eight may wait for one player.
    for (let count = 0; count < 25; count += 1) {
      const { id } = await play({ chime: 'tick', tag: `tag ${count}` });
      await controller.request('Announce.Stop', { id });
    }
    expect(await recent()).toHaveLength(20);
  });
});
