import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decoderProgram } from '../../src/audio/sources/decoder-arguments.ts';
import { decodeWireChunk } from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { wavFile } from '../support/pcm-fixtures.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const samples = Int16Array.from({ length: 96_000 }, (_, at) => (at * 7919) % 32_768);
/** One second. */
const bell = wavFile(Buffer.from(samples.buffer));

const hasDecoder = existsSync(decoderProgram);

let root: string;
let server: TestServer;
const clients: ControlClient[] = [];

beforeEach(() => {
  root = makeScratchFolder();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
  removeScratchFolder(root);
});

async function start(...settings: string[]): Promise<void> {
  const dataFolder = join(root, 'data');
  mkdirSync(dataFolder, { recursive: true });
  server = await TestServer.startWith({ dataFolder }, ...settings);
}

async function controller(): Promise<ControlClient> {
  const client = await ControlClient.connect(server.controlPort);
  clients.push(client);
  return client;
}

const clipFiles = () => readdirSync(join(root, 'data', 'clips')).sort();

function web(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.httpPort}${path}`, { ...init, redirect: 'error' });
}

const put = (name: string, body: Buffer = bell, headers: Record<string, string> = {}) =>
  web(`/clips/${encodeURIComponent(name)}`, { method: 'PUT', body, headers });

/** Sends what `write` says, and resolves with the status; `write` is called again when it may go on. */
function upload(
  name: string,
  headers: Record<string, string | number>,
  write: (to: ClientRequest, mayGoOn: boolean) => void,
): Promise<number | undefined> {
  const options = { port: server.httpPort, path: `/clips/${name}`, method: 'PUT', headers };
  return new Promise((resolve, reject) => {
    const sending = request(options, (answer) => resolve(answer.resume().statusCode));
    sending.on('error', reject);
    sending.on('continue', () => write(sending, true));
    write(sending, false);
  });
}

describe('a controller', () => {
  it('finds no library before it asks for one, and then an empty one', async () => {
    await start();
    expect(existsSync(join(root, 'data', 'clips'))).toBe(false);
    const client = await controller();
    expect(await client.request('Clips.GetClips')).toEqual({
      clips: [],
      bytes: 0,
      limits: { clip_bytes: 2 ** 25, clips: 500, bytes: 2 ** 29 },
    });
    expect(existsSync(join(root, 'data', 'clips'))).toBe(false);
  });

  it('has a file copied, is told how far that is, and what is known of the clip', async () => {
    await start('clips.zero_copy_min_size=0');
    writeFileSync(join(root, 'bell.wav'), bell);
    const client = await controller();
    const stranger = await controller();
    const added = await client.request('Clips.AddClip', {
      path: join(root, 'bell.wav'),
      name: 'Glöckchen.wav',
      verify: true,
    });
    const clip = {
      name: 'Glöckchen.wav',
      bytes: bell.length,
      duration: 1,
      rate: 48_000,
      channels: 2,
    };
    expect(added).toMatchObject({ clip: { ...clip, loudness: expect.any(Number) } });
    expect(await client.request('Clips.GetClips')).toMatchObject({ clips: [clip] });
    const { clip: whole } = (await client.request('Clips.GetClip', { name: clip.name })) as {
      clip: { waveform: number[] };
    };
    expect(whole.waveform).toHaveLength(400);
    await until(() => client.notified.get('Clips.OnUpdate') === 1);
    expect(client.inbox.notifications('Clips.OnProgress').at(-1)?.params).toEqual({
      name: clip.name,
      bytes: bell.length,
      size: bell.length,
    });
    writeFileSync(join(root, 'data', 'clips', 'page.wav'), '<!DOCTYPE html><title>No</title>');
    const known = async () => {
      const { clips } = (await client.request('Clips.GetClips')) as {
        clips: { name: string; fault?: string; duration?: number }[];
      };
      return clips.find(({ name }) => name === 'page.wav');
    };
    await expect.poll(async () => (await known())?.fault).toMatch(/^bad-clip: .*a web page/);
    expect((await known())?.duration).toBeUndefined();
    const figures = await client.request('Clips.GetStatistics');
    expect(figures).toMatchObject({ bytes: bell.length, failures: 0, verificationFailures: 0 });
    const text = await (await web('/metrics')).text();
    expect(text).toMatch(
      new RegExp(`zerocast_clip_copied_bytes_total\\{way="\\w+"\\} ${bell.length}\n`),
    );
    expect(text).toContain('zerocast_clip_verification_failures_total 0\n');
    // Who knows nothing of clips hears nothing of them.
    await stranger.request('Server.GetRPCVersion');
    expect(stranger.notified.size).toBe(0);
  });

  it('has nothing copied that streams of controllers may not read', async () => {
    await start(`stream.source_dir=${join(root, 'music')}`);
    mkdirSync(join(root, 'music'));
    writeFileSync(join(root, 'secret.wav'), bell);
    writeFileSync(join(root, 'music', 'bell.wav'), bell);
    const client = await controller();
    const secret = await client.ask('Clips.AddClip', { path: join(root, 'secret.wav') });
    expect(secret.error?.data).toMatch(/^not-allowed: /);
    await client.request('Clips.AddClip', { path: join(root, 'music', 'bell.wav') });
  });

  it('sends a clip in pieces and reads it in pieces', async () => {
    await start();
    const client = await controller();
    const half = bell.subarray(0, 100_000);
    const first = { name: 'bell.wav', size: bell.length, data: half.toString('base64') };
    expect(await client.request('Clips.UploadClip', first)).toEqual({ bytes: 100_000 });
    expect(await client.request('Clips.GetClips')).toMatchObject({ clips: [] });
    const rest = { offset: 100_000, data: bell.subarray(100_000).toString('base64') };
    const done = await client.request('Clips.UploadClip', { ...first, ...rest });
    expect(done).toMatchObject({ bytes: bell.length, clip: { name: 'bell.wav', duration: 1 } });
    let read = Buffer.alloc(0);
    while (read.length < bell.length) {
      const { data, size } = (await client.request('Clips.DownloadClip', {
        name: 'bell.wav',
        offset: read.length,
        length: 70_000,
      })) as { data: string; size: number };
      expect(size).toBe(bell.length);
      read = Buffer.concat([read, Buffer.from(data, 'base64')]);
    }
    expect(read.equals(bell)).toBe(true);
  });

  it('takes several uploads of one name at one time, and nothing of them stays behind', async () => {
    await start();
    const client = await controller();
    const upload = (rest: object = {}) => {
      const data = bell.toString('base64');
      return client.ask('Clips.UploadClip', { name: 'bell.wav', data, replace: true, ...rest });
    };
    // More than may come in at one time.
    for (let round = 0; round < 12; round += 1) {
      const answers = await Promise.all([upload(), upload(), upload({ size: 1e6 })]);
      for (const { error } of answers) if (error) expect(error.data).toMatch(/^cancelled: /);
      expect(answers.some(({ result }) => result !== undefined)).toBe(true);
    }
    expect(await upload()).toMatchObject({ result: { clip: { name: 'bell.wav' } } });
    await until(() => clipFiles().length === 2, 'nothing but the clip and what is known of it');
  });

  it('renames, deletes and gives up clips', async () => {
    await start();
    const client = await controller();
    const data = bell.toString('base64');
    await client.request('Clips.UploadClip', { name: 'bell.wav', data });
    await client.request('Clips.RenameClip', { name: 'bell.wav', newName: 'door.wav' });
    expect(clipFiles()).toEqual(['.door.wav.clip', 'door.wav']);
    const begun = { name: 'long.wav', data, size: 2 * bell.length };
    await client.request('Clips.UploadClip', begun);
    expect(clipFiles()).toHaveLength(3);
    await client.request('Clips.Cancel', { name: 'long.wav' });
    await client.request('Clips.DeleteClip', { name: 'door.wav' });
    expect(clipFiles()).toEqual([]);
  });

  it.each([
    ['Clips.GetClip', { name: 'no.wav' }, /^unknown-clip: /],
    ['Clips.DeleteClip', { name: '../../etc/passwd' }, /^bad-name: .*a path/],
    ['Clips.UploadClip', { name: 'x.wav', data: 'no base64!' }, /base64/],
    ['Clips.UploadClip', { name: 'x.wav', data: 'AAAA', offset: 5 }, /^bad-piece: /],
    ['Clips.UploadClip', { name: 'x.wav', data: 'AAAA', offset: -1 }, /whole number/],
    ['Clips.UploadClip', { name: 'x.wav', data: 'AAAA', size: 1e12 }, /^clip-too-large: /],
    ['Clips.UploadClip', { name: 'x.wav', data: 'PGh0bWw+PC9odG1sPg==' }, /^bad-clip: .*web page/],
    ['Clips.AddClip', { path: 'relative.wav' }, /^bad-path: /],
    ['Clips.AddClip', { path: '/dev/zero' }, /^not-allowed: /],
    ['Clips.Cancel', { name: 'x.wav' }, /^unknown-clip: /],
  ])('is told what is wrong with %s %j', async (method, params, data) => {
    await start();
    const client = await controller();
    const { error } = await client.ask(method, params);
    expect(error?.data).toMatch(data);
    if (existsSync(join(root, 'data', 'clips'))) expect(clipFiles()).toEqual([]);
  });

  it('needs the permission of each method', async () => {
    await start(
      'authorization.enabled=true',
      'authorization.role=guest:Clips.GetClips,Clips.AddClip',
      'authorization.user=ann:secret:guest',
    );
    const authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
    const ask = async (method: string, params: object) => {
      const answer = await web('/jsonrpc', {
        method: 'POST',
        headers: { authorization },
        body: JSON.stringify({ id: 1, jsonrpc: '2.0', method, params }),
      });
      return (await answer.json()) as { error?: object; result?: object };
    };
    expect((await ask('Clips.GetClips', {})).result).toMatchObject({ clips: [] });
    const files = '"Stream.AddStream.File"';
    expect((await ask('Clips.AddClip', { path: '/tmp/x.wav' })).error).toMatchObject({
      code: 403,
      data: expect.stringContaining(files),
    });
    expect((await ask('Clips.DeleteClip', { name: 'x' })).error).toMatchObject({ code: 403 });
    expect((await web('/clips')).status).toBe(401);
    expect((await web('/clips', { headers: { authorization } })).status).toBe(200);
    expect((await put('x.wav', bell, { authorization })).status).toBe(403);
  });

  it('is told that there is no library where the server keeps nothing', async () => {
    server = await TestServer.start();
    const client = await controller();
    const { error } = await client.ask('Clips.UploadClip', { name: 'x.wav', data: 'AAAA' });
    expect(error?.data).toMatch(/^no-library: .*\[clips\] folder/);
    expect(await client.request('Clips.GetClips')).toMatchObject({ clips: [] });
    expect((await put('x.wav')).status).toBe(404);
  });
});

describe('the library by HTTP', () => {
  it('takes, lists, gives and deletes clips', async () => {
    await start();
    const created = await put('Gong ü.wav');
    expect(created.status).toBe(201);
    expect(await created.json()).toMatchObject({ clip: { name: 'Gong ü.wav', duration: 1 } });
    expect(await (await web('/clips')).json()).toMatchObject({ clips: [{ name: 'Gong ü.wav' }] });
    const path = '/clips/Gong%20%C3%BC.wav';
    const got = await web(path);
    expect(got.headers.get('content-type')).toBe('audio/wav');
    expect(got.headers.get('content-disposition')).toContain('attachment');
    expect(Buffer.from(await got.arrayBuffer()).equals(bell)).toBe(true);
    const head = await web(path, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(bell.length));
    expect((await web(path, { method: 'DELETE' })).status).toBe(204);
    expect((await web(path)).status).toBe(404);
    expect(clipFiles()).toEqual([]);
  });

  it('replaces a clip that is put, and none that is posted', async () => {
    await start();
    const post = () => web('/clips/bell.wav', { method: 'POST', body: bell });
    expect((await post()).status).toBe(201);
    const refused = await post();
    expect(refused.status).toBe(409);
    expect(await refused.text()).toMatch(/^exists: /);
    expect((await put('bell.wav')).status).toBe(201);
  });

  it('takes a clip of unknown length', async () => {
    await start();
    const status = upload('bell.wav', {}, (to) => {
      for (let at = 0; at < bell.length; at += 50_000) to.write(bell.subarray(at, at + 50_000));
      to.end();
    });
    expect(await status).toBe(201);
    expect(readFileSync(join(root, 'data', 'clips', 'bell.wav')).equals(bell)).toBe(true);
  });

  it('leaves nothing of a clip that breaks off', async () => {
    await start();
    const socket = connect(server.httpPort, '127.0.0.1');
    socket.write(
      `PUT /clips/bell.wav HTTP/1.1\r\nHost: x\r\nContent-Length: ${bell.length}\r\n\r\n`,
    );
    socket.write(bell.subarray(0, 1000));
    await until(() => existsSync(join(root, 'data', 'clips')) && clipFiles().length === 1);
    socket.destroy();
    await until(() => clipFiles().length === 0);
  });

  it('says that a clip is too large before it is sent, and after', async () => {
    await start('clips.max_clip_size=1');
    const large = Buffer.concat([bell, Buffer.alloc(2_000_000)]);
    const late = upload('large.wav', {}, (to) => {
      to.write(bell);
      to.end(large);
    });
    expect(await late).toBe(413);
    let mayGoOn = false;
    const headers = { 'Content-Length': large.length, Expect: '100-continue' };
    const asked = upload('large.wav', headers, (to, isAllowed) => {
      mayGoOn ||= isAllowed;
      to.flushHeaders();
    });
    expect(await asked).toBe(413);
    expect(mayGoOn).toBe(false);
    expect(clipFiles()).toEqual([]);
  });

  it('lets a client that asks go on', async () => {
    await start();
    const headers = { 'Content-Length': bell.length, Expect: '100-continue' };
    const status = upload('bell.wav', headers, (to, mayGoOn) => {
      if (mayGoOn) to.end(bell);
      else to.flushHeaders();
    });
    expect(await status).toBe(201);
  });

  it.each([
    ['/clips/..%2F..%2Fetc%2Fpasswd', 400],
    ['/clips/.hidden', 400],
    ['/clips/%ff', 400],
    ['/clips/none.wav', 404],
    ['/clips/', 200],
    ['/clipsandmore', 404],
  ])('answers %s by %i', async (path, status) => {
    await start();
    expect((await web(path)).status).toBe(status);
  });

  it.each([
    ['evil.example', 403],
    ['evil.example:1780', 403],
    ['box:1780', 200],
    ['192.168.1.7', 200],
  ])('answers who calls it %s by %i: a page can make its name point here', async (host, status) => {
    await start();
    const options = { port: server.httpPort, path: '/clips', headers: { Host: host } };
    const asked = request({ host: '127.0.0.1', ...options }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(status);
  });

  it('keeps pages of others away, and tells browsers what pages of its own may', async () => {
    await start('http.allowed_origin=http://mine:1');
    const other = { Origin: 'http://evil.example' };
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await web('/clips/bell.wav', { method, headers: other })).status).toBe(403);
    }
    const mine = await web('/clips/bell.wav', {
      method: 'OPTIONS',
      headers: { Origin: 'http://mine:1' },
    });
    expect(mine.headers.get('access-control-allow-methods')).toContain('PUT');
    const put = await web('/clips/bell.wav', {
      method: 'PUT',
      headers: { Origin: 'http://mine:1' },
      body: bell,
    });
    expect(put.headers.get('access-control-allow-origin')).toBe('http://mine:1');
  });
});

describe('a stream', () => {
  /** What a player of the stream hears, for longer than the clip lasts. */
  async function heard(): Promise<Buffer> {
    const player = await ScriptedClient.greet(server.port, 'listener');
    try {
      const pcm = () =>
        Buffer.concat(player.chunks.map(({ body }) => decodeWireChunk(body).payload));
      await player.until(() => pcm().length > 1.5 * bell.length, 'the clip is heard again');
      return pcm();
    } finally {
      player.close();
    }
  }

  function keep(name: string, bytes: Buffer): void {
    mkdirSync(join(root, 'data', 'clips'), { recursive: true });
    writeFileSync(join(root, 'data', 'clips', name), bytes);
  }

  const flac = () =>
    execFileSync(decoderProgram, ['-v', 'error', '-i', '-', '-f', 'flac', '-'], { input: bell });

  it.for([
    ['of PCM', 'bell 1.wav', () => bell],
    ['without a header', 'bell.raw', () => Buffer.from(samples.buffer)],
    ['that has to be decoded', "bell's.flac", flac],
  ] as const)('plays a clip %s over and over', async ([_, name, bytes], { skip }) => {
    if (bytes === flac && !hasDecoder) return skip('there is no ffmpeg here');
    keep(name, bytes());
    await start(`stream.source=clip:///${name}?name=Bell&codec=pcm`);
    const twice = Buffer.concat([Buffer.from(samples.buffer), Buffer.from(samples.buffer)]);
    const pcm = await heard();
    const first = pcm.subarray(0, samples.byteLength);
    const at = twice.indexOf(first);
    expect(at).toBeGreaterThanOrEqual(0);
    const rest = pcm.subarray(first.length);
    expect(twice.subarray(at, at + rest.length).equals(rest)).toBe(true);
  });

  it('of a controller needs no permission for files, and says why it cannot be', async () => {
    await start(
      'authorization.enabled=true',
      'authorization.role=guest:Stream.AddStream',
      'authorization.user=ann:secret:guest',
      'stream.source=tone:///?name=Tone',
    );
    keep('bell.wav', bell);
    keep('page.wav', Buffer.from('<!DOCTYPE html><title>No</title>'));
    symlinkSync('/etc/passwd', join(root, 'data', 'clips', 'link.wav'));
    const authorization = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
    const add = async (address: string) => {
      const params = { streamUri: `${address}?name=${encodeURIComponent(address)}` };
      const body = JSON.stringify({ id: 1, jsonrpc: '2.0', method: 'Stream.AddStream', params });
      const answer = await web('/jsonrpc', { method: 'POST', headers: { authorization }, body });
      const { error } = (await answer.json()) as { error?: { data: string } };
      return error?.data;
    };
    expect(await add('clip:///bell.wav')).toBeUndefined();
    const state = () => server.application.streams.channels.get('clip:///bell.wav')?.stream.state;
    expect(state()).not.toBe('disabled');
    expect(await add('clip:///none.wav')).toBe(
      'the clip "none.wav" cannot be played: there is no clip "none.wav"',
    );
    expect(await add('clip:///link.wav')).toContain('there is no clip "link.wav"');
    expect(await add('clip:///page.wav')).toMatch(/page\.wav" cannot be played: .*a web page/);
    for (const path of ['../server.json', '.bell.wav.clip', '/etc/passwd']) {
      expect(await add(`clip:///${path}`), path).toContain('this is no name for a clip');
    }
    expect(await add('clip://bell.wav')).toContain('write three slashes');
  });

  it('cannot be of a clip where the server keeps nothing', async () => {
    server = await TestServer.start('stream.source=clip:///bell.wav?name=Bell');
    const { channels } = server.application.streams;
    await until(() => channels.get('Bell')?.stream.state === 'disabled');
    expect(channels.get('Bell')?.stream.fault).toMatchObject({ code: 'unknown-clip' });
  });
});
