import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StreamProperties } from '../../src/audio/stream-properties.ts';
import { Log } from '../../src/log/log.ts';
import { FakePlayer } from '../support/fake-player.ts';
import { coverItems, songItems } from '../support/metadata-items.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const secret = 'geheimGeheim0123456789ABCDEFGHIJKLMNOP';
const png = Buffer.from('89504e470d0a1a0a00112233', 'hex');

let folder: string;
let server: TestServer | undefined;
let rig: ReloadRig | undefined;

beforeEach(() => {
  folder = makeScratchFolder();
});

afterEach(async () => {
  await server?.stop();
  await rig?.close();
  server = undefined;
  rig = undefined;
  removeScratchFolder(folder);
});

async function start(...settings: string[]): Promise<TestServer> {
  server = await TestServer.start(...settings);
  return server;
}

function propertiesOf(name: string): StreamProperties | undefined {
  const application = server?.application ?? rig?.application;
  return application?.streams.channels.get(name)?.properties;
}

async function statusText(): Promise<string> {
  return JSON.stringify(await server?.application.request('Server.GetStatus', {}));
}

describe('an airplay stream', () => {
  it('shows controllers what plays, with its cover by HTTP, until it ends', async () => {
    const player = new FakePlayer(
      folder,
      'shairport',
      'cat "$D/items" > "$pipe"; exec cat /dev/zero',
    );
    writeFileSync(
      join(folder, 'items'),
      Buffer.concat([songItems('T', 'A', 'B'), coverItems(png)]),
    );
    const { httpPort, application } = await start(
      `stream.source=airplay://${player.path}?name=Air`,
    );
    await until(() => propertiesOf('Air')?.metadata?.artUrl !== undefined, 'the cover is known');
    const { title, artist, album, artUrl } = propertiesOf('Air')?.metadata ?? {};
    expect([title, artist, album]).toEqual(['T', ['A'], 'B']);
    expect(await statusText()).toContain(JSON.stringify(artUrl));
    const [, path = ''] =
      /^http:\/\/[^/]+(\/__image_cache\?name=\w+\.png)$/.exec(String(artUrl)) ?? [];
    const address = `http://127.0.0.1:${httpPort}${path}`;
    const answer = await fetch(address);
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(png);
    await application.streams.remove('Air');
    await until(
      () => !existsSync(dirname(player.option('--metadata-pipename') ?? '')),
      'all is gone',
    );
    expect((await fetch(address)).status).toBe(404);
  });

  it('leaves the cover to its control script', async () => {
    const player = new FakePlayer(
      folder,
      'shairport',
      'cat "$D/items" > "$pipe"; echo said >&2; sleep 60',
    );
    writeFileSync(join(folder, 'items'), coverItems(png));
    const script = new FakePlayer(folder, 'script', 'sleep 60');
    await start(
      `stream.plugin_dir=${folder}`,
      `stream.source=airplay://${player.path}?name=Air&controlscript=${script.path}`,
    );
    await until(() => server?.log.with('program says').length === 1, 'the cover was told');
    expect(propertiesOf('Air')?.metadata).toBeUndefined();
  });
});

describe('a librespot stream', () => {
  it('shows controllers what plays', async () => {
    const body = `event PLAYER_EVENT=track_changed TRACK_ID=1 NAME=Song ARTISTS=Someone COVERS=https://i/1 DURATION_MS=1000
event PLAYER_EVENT=playing TRACK_ID=1 POSITION_MS=250
exec cat /dev/zero`;
    const player = new FakePlayer(folder, 'librespot', body);
    await start(`stream.source=librespot://${player.path}?name=Spotify`);
    await until(() => propertiesOf('Spotify')?.position === 0.25, 'it plays');
    const text = await statusText();
    expect(text).toContain('"artUrl":"https://i/1"');
    expect(text).toContain('"sampleformat":"44100:16:2"');
  });

  it('goes on with another program when its address is another one', async () => {
    const [first, second] = ['first', 'second'].map(
      (name) => new FakePlayer(folder, name, 'sleep 60'),
    );
    rig = await ReloadRig.start(sources(`librespot://${first?.path}?name=A`));
    await until(() => first?.starts === 1, 'it runs');
    const [, hook = ''] = (first?.option('--onevent') ?? '').split(' ');
    await rig.reload(sources(`librespot://${second?.path}?name=A&bitrate=160`));
    await until(() => second?.starts === 1 && !existsSync(hook), 'the other one runs');
    expect(second?.option('--bitrate')).toBe('160');
  });
});

describe('secrets of a player', () => {
  it('are in no log, status or file, and in no text of an error', async () => {
    const body = `echo "[t INFO m] called with $*" >&2
echo "bad --access-token ${secret}" >&2; exit 1`;
    const player = new FakePlayer(folder, 'player', body);
    const options = ['--access-token', '-k'].map((option) => `${option} ${secret}`);
    const log = new Log({ format: 'json', sink: `file:${folder}/log`, filter: ['*:trace'] });
    server = await TestServer.startWith(
      { dataFolder: folder, logger: log.logger },
      'stream.persist_added=true',
      `stream.sandbox_dir=${folder}`,
      ...options.map(
        (params, at) => `stream.source=librespot://${player.path}?name=L${at}&params=${params}`,
      ),
      `stream.source=librespot://${player.path}?name=Old&username=me&password=${secret}`,
      `stream.source=airplay://${player.path}?name=Air&password=${secret}`,
    );
    const logText = () => readFileSync(join(folder, 'log'), 'utf8');
    const ended = (name: string) =>
      logText()
        .split('\n')
        .some((line) => /program ended/.test(line) && line.includes(`"${name}"`));
    await until(() => ['L0', 'L1', 'Air'].every(ended), 'all have ended');
    expect(player.arguments().join(' ')).toContain(secret);
    const streamUri = `spotify://${player.path}?name=New&username=me&password=${secret}`;
    const adding = server.application.request('Stream.AddStream', { streamUri });
    await expect(adding).rejects.toMatchObject({
      data: expect.stringMatching(/takes no user name and password any more/),
    });
    await expect(adding).rejects.not.toMatchObject({ data: expect.stringContaining(secret) });
    const status = await statusText();
    for (const name of ['L0', 'L1', 'Old', 'Air']) expect(status).toContain(`"id":"${name}"`);
    await server.stop();
    server = undefined;
    await log.close();
    expect(logText()).toContain('takes no user name and password any more');
    expect(logText()).toContain('called with');
    // What a program said last is told to controllers.
    expect(status).toContain('bad --access-token ***');
    expect(status).not.toContain(secret);
    for (const name of ['log', 'server.json', 'streams.json']) {
      const path = join(folder, name);
      expect(existsSync(path) ? readFileSync(path, 'utf8') : '').not.toContain(secret);
    }
  });
});

describe('a player that a controller adds', () => {
  const add = (streamUri: string) => server?.application.request('Stream.AddStream', { streamUri });

  it('is one of the sandbox, which is found there by its usual name', async () => {
    const player = new FakePlayer(folder, 'shairport-sync', 'sleep 60');
    await start(`stream.sandbox_dir=${folder}`);
    expect(await add('airplay:///?name=Air&port=5011')).toEqual({ id: 'Air' });
    await until(() => player.starts === 1, 'it runs');
    expect(player.option('--port')).toBe('5011');
  });

  it('calls programs of the sandbox alone at its events', async () => {
    const player = new FakePlayer(folder, 'librespot', 'event PLAYER_EVENT=sink; sleep 60');
    const hook = new FakePlayer(folder, 'hook', 'sleep 0');
    await start(`stream.sandbox_dir=${folder}`);
    await expect(
      add(`librespot://${player.path}?name=A&onevent=/bin/sh -c x`),
    ).rejects.toMatchObject({
      data: expect.stringContaining(`must be located in '${folder}'`),
    });
    await add(`librespot://${player.path}?name=A&onevent=${hook.path} loud`);
    await until(() => hook.starts === 1, 'it was called');
    expect(hook.arguments()).toEqual(['loud']);
  });
});
