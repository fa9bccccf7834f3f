import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { rows } from '../../src/config/schema.ts';
import { Log } from '../../src/log/log.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { makeCertificate, openssl } from '../support/certificates.ts';
import { ControlClient } from '../support/control-client.ts';
import { channelOf, decibels, heardBy } from '../support/mix-rig.ts';
import { ReloadRig, sources } from '../support/reload-rig.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TapClient } from '../support/tap-client.ts';
import { until } from '../support/waiting.ts';

let rig: ReloadRig;
let log: Log | undefined;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await rig.close();
  await log?.close();
  log = undefined;
});

const tone = sources('tone:///?name=T&codec=pcm');

async function start(text = tone): Promise<void> {
  rig = await ReloadRig.start(text, { configureLog: (logging) => log?.configure(logging) });
}

async function player(id: string, rest = {}): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(rig.application.ports.streaming, id, rest);
  ends.push(() => client.close());
  return client;
}

async function controller(): Promise<ControlClient> {
  const client = await ControlClient.connect(rig.application.ports.control);
  ends.push(() => client.close());
  return client;
}

async function ask(client: ControlClient, method: string, params: object = {}): Promise<string> {
  const seen = client.raw.length;
  const text = () => Buffer.concat(client.raw.slice(seen)).toString();
  client.send(`${JSON.stringify({ id: 1, jsonrpc: '2.0', method, params })}\r\n`);
  // Notifications may come before.
  const isAnswered = () => /"id":1[,}]/.test(text()) || hasEnded(client);
  await until(isAnswered, `${method} is answered`);
  return text();
}

/** The end of the server has come; this one is half open still. */
const hasEnded = (client: ControlClient) => client.hasEnded || client.isClosed;

const add = (streamUri: string) => rig.application.request('Stream.AddStream', { streamUri });

const isConnected = (id: string) => rig.application.registry.clients.get(id)?.isConnected === true;
const untilConnected = (id: string) => until(() => isConnected(id), `${id} is connected`);
const refusedTap = () => TapClient.refused(rig.application.ports.http, '/streams/T/tap?as=pcm');
const web = (path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${rig.application.ports.http}${path}`, init);

const port = '[http]\nssl_port = 0\nssl_bind_to_address = 127.0.0.1\nssl_enabled = true\n';
const pem = (name: string) => join(rig?.folder ?? '', name);

/** A server with a certificate `a`, and `b` beside it. */
async function startTls(more = ''): Promise<(text: string) => string> {
  await start();
  const { folder } = rig;
  for (const name of ['a', 'b']) makeCertificate({ folder, name });
  const bare = rig;
  ends.push(() => bare.close());
  const text = (name: string) =>
    `${tone}${port}[ssl]\ncertificate = ${folder}/${name}.crt\ncertificate_key = ${folder}/${name}.key\n${more}`;
  rig = await ReloadRig.start(text('a'));
  return text;
}

interface Shown {
  readonly subject: string;
  readonly isAuthorized: boolean;
}

/** What a new connection is shown, and whether it is let in. */
function handshake(options: { cert?: string; key?: string } = {}): Promise<Shown> {
  return new Promise((resolve) => {
    let subject = '';
    const socket = tlsConnect(
      {
        host: '127.0.0.1',
        port: rig.application.ports.https,
        rejectUnauthorized: false,
        ...(options.cert && {
          cert: readFileSync(options.cert),
          key: readFileSync(options.key ?? ''),
        }),
      },
      () => {
        subject = String(socket.getPeerCertificate().subject.CN);
        socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      },
    );
    let text = '';
    socket.on('data', (data) => {
      text += data.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve({ subject, isAuthorized: text.includes('200 OK') }));
  });
}

const users = (lines: string, enabled = true) =>
  `${tone}[authorization]\nenabled = ${enabled}\n${lines}`;
const secret = 'x'.repeat(40);
const login = (client: ControlClient, param: string, scheme = 'Plain') =>
  ask(client, 'Server.Authenticate', { scheme, param });

/** A new connection is closed without a word. */
async function isRefused(client: ControlClient): Promise<boolean> {
  await ask(client, 'Server.GetRPCVersion').catch(() => undefined);
  return hasEnded(client) && client.raw.length === 0;
}

/** With one clip in the library; the result is the section of the configuration. */
async function startWithClips(): Promise<string> {
  const folder = makeScratchFolder();
  ends.push(() => removeScratchFolder(folder));
  writeFileSync(join(folder, 'short.wav'), 'x');
  const settings = `[clips]\nfolder = ${folder}\n`;
  await start(`${tone}${settings}`);
  return settings;
}

/** The answer to the beginning of a clip of 2 MiB. */
async function sent(name: string): Promise<string> {
  return ask(await controller(), 'Clips.UploadClip', { name, data: 'AAAA', size: 2_097_152 });
}

/** What a short announcement, too quiet to be heard, does to the music: how deep it is, how long. */
async function duckedBy(settings: string): Promise<{ depthDb: number; downMs: number }> {
  await start();
  const ramps = 'attack_ms = 100\nhold_ms = 100\nrelease_ms = 100\n';
  await rig.reload(`${tone}[announce]\n${ramps}${settings}`);
  const client = await player('P');
  await untilConnected('P');
  await web('/announce?chime=tick&gain_db=-60&wait', { method: 'POST' });
  const { pcm, format } = await heardBy(client);
  const samples = channelOf(pcm, format);
  const peakMs = 5;
  const step = (format.rateHz * peakMs) / 1000;
  const peaks = Array.from({ length: Math.floor(samples.length / step) }, (_, index) =>
    decibels(Math.max(...samples.subarray(index * step, (index + 1) * step).map(Math.abs))),
  );
  const depthDb = Math.max(...peaks) - Math.min(...peaks);
  const downMs = peakMs * peaks.filter((peak) => peak < Math.max(...peaks) - 1).length;
  return { depthDb, downMs };
}

/** How a sound of this length is answered. */
async function announced(query: string, seconds = 1): Promise<number> {
  const bytes = new Uint8Array(44 + 16_000 * seconds).fill(1, 44);
  const head = Buffer.from(
    '52494646ffffffff57415645666d74201000000001000100401f0000803e00000200100064617461ffffffff',
    'hex',
  );
  bytes.set(head);
  const upload = { method: 'POST', body: bytes, headers: { 'Content-Type': 'audio/wav' } };
  return (await web(`/announce${query}`, query === '' ? upload : { method: 'POST' })).status;
}

/** One proof for each setting that a reload puts into force. */
const silent = sources('process:///bin/sleep?name=I&codec=pcm&params=600');

const proofs: Readonly<Record<string, () => Promise<void>>> = {
  async 'announce.duck_db'() {
    const { depthDb } = await duckedBy('duck_db = -40\n');
    expect(depthDb).toBeGreaterThan(35);
  },
  async 'announce.attack_ms'() {
    const { downMs } = await duckedBy('attack_ms = 1000\n');
    expect(downMs).toBeGreaterThan(900);
  },
  async 'announce.hold_ms'() {
    const { downMs } = await duckedBy('hold_ms = 1000\n');
    expect(downMs).toBeGreaterThan(1000);
  },
  async 'announce.release_ms'() {
    const { downMs } = await duckedBy('release_ms = 1000\n');
    expect(downMs).toBeGreaterThan(900);
  },
  async 'announce.wake_ms'() {
    await start(sources('process:///bin/sleep?name=I&codec=pcm&params=60'));
    await rig.reload(
      `${sources('process:///bin/sleep?name=I&codec=pcm&params=60')}[announce]\nwake_ms = 5000\n`,
    );
    await player('P');
    await untilConnected('P');
    const response = await web('/announce?chime=tick', { method: 'POST' });
    const { heardAt } = (await response.json()) as { heardAt: number };
    expect(heardAt - Date.now()).toBeGreaterThan(5000);
  },
  async 'announce.adopt_ma'() {
    const both = `${tone}source = tone:///?name=A (announcement)&codec=pcm\n`;
    await start(both);
    await player('P');
    await untilConnected('P');
    const { registry } = rig.application;
    const { group } = registry.clients.get('P')!;
    const give = (stream_id: string) =>
      web('/jsonrpc', {
        method: 'POST',
        body: JSON.stringify({
          ...{ jsonrpc: '2.0', id: 1, method: 'Group.SetStream' },
          params: { id: group.id, stream_id },
        }),
      });
    const played = group.streamId;
    await give('A (announcement)');
    expect(group.underId).toBeUndefined();
    await give(played);
    await rig.reload(`${both}[announce]\nadopt_ma = true\n`);
    await give('A (announcement)');
    expect(group).toMatchObject({ streamId: 'A (announcement)', underId: played });
  },
  async 'hooks.on_playing'() {
    await start();
    await rig.reload(`${tone}[hooks]\non_playing = /absent/playing\n`);
    await player('P');
    await until(() => rig.log.with('/absent/playing').length > 0, 'it is run');
  },
  async 'hooks.on_idle'() {
    await start(silent);
    await rig.reload(`${silent}[hooks]\nidle_after = 0\non_idle = /absent/idle\n`);
    await until(() => rig.log.with('/absent/idle').length > 0, 'it is run');
  },
  async 'hooks.idle_after'() {
    await start(`${silent}[hooks]\nidle_after = 3600\non_idle = /absent/idle\n`);
    await rig.reload(`${silent}[hooks]\nidle_after = 0\non_idle = /absent/idle\n`);
    await until(() => rig.log.with('/absent/idle').length > 0, 'it is run');
  },
  async 'hooks.timeout'() {
    const slow = 'on_idle = /bin/sleep 60\nidle_after = 0\n';
    await start(silent);
    await rig.reload(`${silent}[hooks]\ntimeout = 1\n${slow}`);
    await until(() => rig.log.with('it was ended after 1 s').length > 0, 'it is ended');
  },
  async 'announce.max_seconds'() {
    await start();
    await player('P');
    await untilConnected('P');
    expect(await announced('', 2)).toBe(202);
    await rig.reload(`${tone}[announce]\nmax_seconds = 1\n`);
    expect(await announced('', 2)).toBe(413);
  },
  async 'announce.allowed_host'() {
    await start();
    await player('P');
    await untilConnected('P');
    expect(await announced('?url=http://127.0.0.1:1/')).toBe(403);
    await rig.reload(`${tone}[announce]\nallowed_host = 127.0.0.1\n`);
    expect(await announced('?url=http://127.0.0.1:1/')).toBe(502);
  },
  async 'announce.tts_command'() {
    await start();
    await player('P');
    await untilConnected('P');
    expect(await announced('?text=hello')).toBe(501);
    await rig.reload(`${tone}[announce]\ntts_command = /bin/no-such-program\n`);
    expect(await announced('?text=hello')).toBe(502);
  },
  async 'clips.max_clip_size'() {
    const settings = await startWithClips();
    expect(await sent('long.wav')).toContain('"bytes":3');
    await rig.reload(`${tone}${settings}max_clip_size = 1\n`);
    expect(await sent('long.wav')).toContain('clip-too-large: ');
  },
  async 'clips.max_clips'() {
    const settings = await startWithClips();
    expect(await sent('long.wav')).toContain('"bytes":3');
    await rig.reload(`${tone}${settings}max_clips = 1\n`);
    expect(await sent('long.wav')).toContain('library-full: 1 clips');
  },
  async 'clips.max_size'() {
    const settings = await startWithClips();
    expect(await sent('long.wav')).toContain('"bytes":3');
    await rig.reload(`${tone}${settings}max_size = 1\n`);
    expect(await sent('long.wav')).toContain('library-full: all clips');
  },
  async 'server.peer_timeout'() {
    await start();
    await rig.reload(`${tone}[server]\npeer_timeout = 2000\n`);
    const client = await controller();
    client.socket.pause();
    const request = `${JSON.stringify({ id: 1, jsonrpc: '2.0', method: 'General.GetRPCCommands' })}\r\n`;
    client.send(request.repeat(20_000));
    await until(() => rig.log.with('controller disconnected').length > 0, 'it is closed');
    expect(rig.log.with('controller disconnected')[0]?.fields.reason).toMatch(/2000 ms|ETIMEDOUT/);
  },
  async 'ssl.certificate'() {
    const text = await startTls();
    expect((await handshake()).subject).toBe('a');
    await rig.reload(text('b'));
    expect((await handshake()).subject).toBe('b');
  },
  async 'ssl.certificate_key'() {
    const text = await startTls();
    await expect(rig.reload(text('a').replace('a.key', 'b.key'))).rejects.toThrow(
      'does not belong',
    );
    expect((await handshake()).subject).toBe('a');
    await rig.reload(text('b'));
    expect((await handshake()).subject).toBe('b');
  },
  async 'ssl.key_password'() {
    const text = await startTls();
    const folder = /certificate = (.*)\/a\.crt/.exec(text('a'))?.[1] ?? '';
    openssl(
      'ec',
      '-in',
      `${folder}/b.key`,
      '-aes256',
      '-passout',
      'pass:pw',
      '-out',
      `${folder}/c.key`,
    );
    const encrypted = text('b').replace('b.key', 'c.key');
    await expect(rig.reload(encrypted)).rejects.toThrow('set key_password');
    await rig.reload(`${encrypted}key_password = pw\n`);
    expect((await handshake()).subject).toBe('b');
    expect(JSON.stringify(rig.log.lines)).not.toContain('"pw"');
  },
  async 'ssl.client_cert'() {
    await start();
    const { folder } = rig;
    for (const name of ['a', 'b']) {
      makeCertificate({ folder, name });
      makeCertificate({ folder, name: `${name}-client`, issuer: name });
    }
    const bare = rig;
    ends.push(() => bare.close());
    const text = (name: string) =>
      `${tone}${port}[ssl]\ncertificate = ${folder}/a.crt\ncertificate_key = ${folder}/a.key\nverify_clients = true\nclient_cert = ${folder}/${name}.crt\n`;
    rig = await ReloadRig.start(text('a'));
    const client = { cert: `${folder}/b-client.crt`, key: `${folder}/b-client.key` };
    expect((await handshake(client)).isAuthorized).toBe(false);
    await rig.reload(text('b'));
    expect((await handshake(client)).isAuthorized).toBe(true);
  },
  async 'authorization.enabled'() {
    await start();
    const [before, watcher] = [await controller(), await player('p')];
    await untilConnected('p');
    expect(await ask(before, 'Server.GetRPCVersion')).toContain('major');
    await rig.reload(users('role = r:*\nuser = ann:pw:r'));
    await until(() => hasEnded(before) && watcher.isClosed, 'nobody without a login is left');
    const waiting = await controller();
    expect(await ask(waiting, 'Server.GetRPCVersion')).toContain('401');
    await rig.reload(users('role = r:*\nuser = ann:pw:r', false));
    expect(await ask(waiting, 'Server.GetRPCVersion')).toContain('major');
  },
  async 'authorization.role'() {
    await start(users('role = r:*\nuser = ann:pw:r'));
    const client = await controller();
    const listener = await player('p', { auth: { scheme: 'Plain', param: 'ann:pw' } });
    await untilConnected('p');
    await login(client, 'ann:pw');
    expect(await ask(client, 'Server.GetRPCVersion')).toContain('major');
    await rig.reload(users('role = r:Server.GetStatus\nuser = ann:pw:r'));
    expect(await ask(client, 'Server.GetRPCVersion')).toContain('403');
    await until(() => listener.isClosed, 'the player is sent away');
  },
  async 'authorization.user'() {
    const role = 'role = r:*\n';
    await start(users(`${role}user = ann:pw:r\nuser = bob:pw:r\nuser = cid:pw:r`));
    const [ann, bob, cid] = [await controller(), await controller(), await controller()];
    await login(ann, 'ann:pw');
    await login(bob, 'bob:pw');
    await login(cid, 'cid:pw');
    await rig.reload(users(`${role}user = ann:pw:r\nuser = cid:other:r`));
    await until(() => hasEnded(bob) && hasEnded(cid), 'who is gone, or has a new password, is out');
    expect(await ask(ann, 'Server.GetRPCVersion')).toContain('major');
    expect(JSON.stringify(rig.log.lines)).not.toContain(':pw');
  },
  async 'authorization.token_secret'() {
    await start(users('role = r:*\nuser = ann:pw:r'));
    expect(await login(await controller(), 'x', 'Bearer')).toContain('not supported');
    await rig.reload(users(`role = r:*\nuser = ann:pw:r\ntoken_secret = ${secret}`));
    expect(await login(await controller(), 'x', 'Bearer')).not.toContain('not supported');
    expect(JSON.stringify(rig.log.lines)).not.toContain(secret);
  },
  async 'logging.sink'() {
    await withLog();
    await rig.reload(`${tone}[logging]\nsink = file:${pem('second.log')}\n`);
    log?.logger.info('hello');
    await until(() => readFileSync(pem('second.log'), 'utf8').includes('hello'));
  },
  async 'logging.filter'() {
    await withLog();
    await rig.reload(`${tone}[logging]\nsink = file:${pem('first.log')}\nfilter = *:error\n`);
    expect(log?.logger.isEnabled('info')).toBe(false);
  },
  async 'logging.format'() {
    await withLog();
    await rig.reload(`${tone}[logging]\nsink = file:${pem('first.log')}\nformat = json\n`);
    log?.logger.info('hello');
    await until(() => /"msg":"hello"/.test(readFileSync(pem('first.log'), 'utf8')));
  },
  async 'http.doc_root'() {
    await start();
    expect(await (await web('/')).text()).not.toBe('mine');
    mkdirSync(pem('pages'));
    writeFileSync(pem('pages/index.html'), 'mine');
    await rig.reload(`${tone}[http]\ndoc_root = ${pem('pages')}\n`);
    expect(await (await web('/')).text()).toBe('mine');
  },
  async 'http.web'() {
    await start();
    expect((await web('/')).status).toBe(200);
    await rig.reload(`${tone}[http]\nweb = false\n`);
    expect(await (await web('/')).text()).toContain('The web page is switched off');
    expect((await web('/healthz')).status).toBe(200);
  },
  'http.host': () => opensTo('host = hi-fi.example.com', 'http://hi-fi.example.com'),
  'http.url_prefix': () =>
    opensTo('url_prefix = https://hi-fi.example.com', 'http://hi-fi.example.com'),
  'http.allowed_origin': () => opensTo('allowed_origin = http://my.page', 'http://my.page'),
  async 'http.metrics'() {
    await start();
    expect((await web('/metrics')).status).toBe(200);
    await rig.reload(`${tone}[http]\nmetrics = false\n`);
    expect((await web('/metrics')).status).toBe(404);
  },
  async 'http.metrics_per_client'() {
    await start();
    await player('somebody');
    await untilConnected('somebody');
    expect(await (await web('/metrics')).text()).toContain('client="somebody"');
    await rig.reload(`${tone}[http]\nmetrics_per_client = false\n`);
    expect(await (await web('/metrics')).text()).not.toContain('client="somebody"');
  },
  async 'http.metrics_levels'() {
    await start();
    await player('p');
    await rig.reload(`${tone}[http]\nmetrics_levels = true\n`);
    let text = '';
    while (!text.includes('zerocast_stream_peak_dbfs{stream="T"} -')) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      text = await (await web('/metrics')).text();
    }
  },
  async 'tcp-streaming.hello_timeout'() {
    await start();
    await rig.reload(`${tone}[tcp-streaming]\nhello_timeout = 100\n`);
    const client = await ScriptedClient.connect(rig.application.ports.streaming);
    await until(() => client.isClosed, 'it is closed');
    expect(rig.log.with('no Hello within 100 ms')).toHaveLength(1);
  },
  async 'tcp-streaming.stall_timeout'() {
    const loud = sources('tone:///?name=T&codec=pcm&sampleformat=192000:32:8');
    await start(loud);
    const client = await player('p');
    await client.untilCount(messageType.wireChunk, 1);
    client.socket.pause();
    await rig.reload(`${loud}[tcp-streaming]\nstall_timeout = 1000\n`);
    await until(() => rig.log.with('took no data for 1000 ms').length > 0, 'it is closed');
  },
  async 'limits.max_players'() {
    await start();
    await player('p');
    await untilConnected('p');
    await rig.reload(`${tone}[limits]\nmax_players = 1\n`);
    const second = await player('q');
    await until(() => second.isClosed, 'the second is refused');
    expect(isConnected('p')).toBe(true);
  },
  async 'limits.max_controllers'() {
    await start();
    expect(await ask(await controller(), 'Server.GetRPCVersion')).toContain('major');
    await rig.reload(`${tone}[limits]\nmax_controllers = 1\n`);
    expect(await isRefused(await controller())).toBe(true);
  },
  async 'limits.max_http_connections'() {
    await start();
    await player('p');
    await rig.reload(`${tone}[limits]\nmax_http_connections = 1\n`);
    const connect = async () => {
      const socket = net.connect(rig.application.ports.http, '127.0.0.1').on('error', () => {});
      ends.push(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    };
    await connect();
    const second = (await connect()).resume();
    await until(() => second.destroyed, 'the second is refused');
  },
  async 'limits.max_connections_per_address'() {
    await start();
    expect(await ask(await controller(), 'Server.GetRPCVersion')).toContain('major');
    await rig.reload(`${tone}[limits]\nmax_connections_per_address = 1\n`);
    expect(await isRefused(await controller())).toBe(true);
  },
  async 'limits.max_taps'() {
    await start();
    await rig.reload(`${tone}[limits]\nmax_taps = 0\n`);
    expect(await refusedTap()).toMatchObject({ status: 503 });
  },
  async 'limits.max_taps_per_address'() {
    await start();
    const { ports } = rig.application;
    const { webSocket } = await TapClient.open(ports.http, '/streams/T/tap?as=pcm');
    ends.push(() => webSocket.terminate());
    await rig.reload(`${tone}[limits]\nmax_taps_per_address = 1\n`);
    expect(await refusedTap()).toMatchObject({ status: 503 });
  },
  async 'limits.login_timeout'() {
    const text = users('role = r:*\nuser = ann:pw:r\n');
    await start(text);
    await rig.reload(`${text}[limits]\nlogin_timeout = 100\n`);
    const client = await controller();
    await until(() => hasEnded(client), 'it is closed');
    expect(rig.log.with('no login within 100 ms')).toHaveLength(1);
  },
  async 'limits.max_streams'() {
    await start();
    await rig.reload(`${tone}[limits]\nmax_streams = 1\n`);
    await expect(rig.application.streams.addTrusted('tone:///?name=U')).rejects.toThrow(
      '1 streams',
    );
  },
  async 'limits.max_added_samples_each'() {
    await start();
    await rig.reload(`${tone}[limits]\nmax_added_samples_each = 95999\n`);
    await expect(add('tone:///?name=U')).rejects.toMatchObject({
      data: expect.stringContaining('[limits] max_added_samples_each'),
    });
    await add('tone:///?name=U&sampleformat=44100:16:2');
  },
  async 'limits.max_added_samples'() {
    await start();
    await rig.reload(`${tone}[limits]\nmax_added_samples = 100000\n`);
    await add('tone:///?name=U');
    await expect(add('tone:///?name=V')).rejects.toMatchObject({
      data: expect.stringContaining('[limits] max_added_samples'),
    });
  },
  async 'limits.max_known_clients'() {
    await start();
    for (const id of ['p', 'q']) {
      const client = await player(id);
      await untilConnected(id);
      client.close();
      await until(() => !isConnected(id));
    }
    await rig.reload(`${tone}[limits]\nmax_known_clients = 1\n`);
    await player('r');
    await untilConnected('r');
    expect([...rig.application.registry.clients.keys()]).toEqual(['r']);
  },
  async 'limits.max_children'() {
    await start();
    const sleep = (name: string) => `process:///bin/sleep?name=${name}&params=60`;
    await rig.application.streams.addTrusted(sleep('one'));
    await rig.reload(`${tone}[limits]\nmax_children = 1\n`);
    await expect(rig.application.streams.addTrusted(sleep('two'))).rejects.toThrow('max_children');
  },
  async 'stream.source'() {
    await start();
    await rig.reload(sources('tone:///?name=U'));
    expect(rig.streams).toEqual(['U']);
  },
  async 'stream.default_source'() {
    await start();
    await rig.reload(`${tone}source = tone:///?name=U\ndefault_source = U\n`);
    await player('p');
    await untilConnected('p');
    expect([...rig.application.registry.groups.values()].map(({ streamId }) => streamId)).toEqual([
      'U',
    ]);
    const told = () => rig.log.with('default_source names no stream').map(({ fields }) => fields);
    expect(told()).toEqual([]);
    await rig.reload(`${tone}default_source = V\n`);
    expect(told()).toEqual([{ default_source: 'V', instead: rig.streams[0] }]);
  },
  async 'stream.plugin_dir'() {
    await start();
    const add = () =>
      rig.application.request('Stream.AddStream', {
        streamUri: 'tone:///?name=S&controlscript=mine.py',
      });
    await expect(add()).rejects.toMatchObject({ data: expect.stringContaining('/usr/share') });
    await rig.reload(`${tone}plugin_dir = ${rig.folder}\n`);
    await expect(add()).rejects.toMatchObject({ data: expect.stringContaining(rig.folder) });
  },
  async 'stream.source_dir'() {
    await start();
    const uri = `pipe://${rig.folder}/added?name=Added`;
    await rig.reload(`${tone}source_dir = /srv\n`);
    await expect(add(uri)).rejects.toMatchObject({ data: expect.stringContaining('source_dir') });
    await rig.reload(`${tone}source_dir = ${rig.folder}\n`);
    expect(await add(uri)).toEqual({ id: 'Added' });
  },
  async 'stream.allow_capture'() {
    await start();
    const client = await controller();
    // Refused in any case, as there is no such codec.
    const address = { streamUri: 'alsa:///?name=Heard&codec=none' };
    expect(await ask(client, 'Stream.AddStream', address)).toContain('allow_capture');
    await rig.reload(`${tone}allow_capture = true\n`);
    expect(await ask(client, 'Stream.AddStream', address)).toContain('codec');
  },
  async 'stream.radio_private'() {
    await start();
    const client = await controller();
    const address = (name: string) => ({
      streamUri: `radio:///?name=${name}&url=http://127.0.0.1:1/`,
    });
    const refusal = await ask(client, 'Stream.AddStream', address('A'));
    expect(refusal).toContain('127.0.0.1 is a private address');
    expect(refusal).toContain('radio_private');
    const described = { streamUri: 'rtp:///?name=D&sdp=http://127.0.0.1:1/' };
    expect(await ask(client, 'Stream.AddStream', described)).toContain('radio_private');
    await rig.reload(`${tone}radio_private = true\n`);
    expect(await ask(client, 'Stream.AddStream', address('B'))).toContain('"B"');
  },
  async 'stream.sandbox_dir'() {
    await start();
    const add = () =>
      rig.application.request('Stream.AddStream', { streamUri: 'process:///bin/sleep?name=S' });
    await expect(add()).rejects.toMatchObject({ data: expect.stringContaining('/usr/share') });
    await rig.reload(`${tone}sandbox_dir = ${rig.folder}\n`);
    await expect(add()).rejects.toMatchObject({ data: expect.stringContaining(rig.folder) });
  },
  'stream.sampleformat': () => changesDefault('sampleformat = 44100:16:2', 'format', '44100:16:2'),
  'stream.codec': () => changesDefault('codec = opus', 'codec', 'opus'),
  'stream.chunk_ms': () => changesDefault('chunk_ms = 40', 'chunkMs', '40'),
  'stream.resync_tolerance': () =>
    changesDefault('resync_tolerance = 77', 'resyncToleranceMs', '77'),
  async 'stream.send_to_muted'() {
    await start();
    const client = await player('p');
    await untilConnected('p');
    await rig.application.request('Client.SetVolume', { id: 'p', volume: { muted: true } });
    const session = () => [...rig.application.server.sessions][0];
    expect(session()?.channel?.broadcast.subscribers).toBe(0);
    await rig.reload(`${tone}send_to_muted = true\n`);
    const seen = client.of(messageType.wireChunk).length;
    await client.untilCount(messageType.wireChunk, seen + 3);
  },
  async 'streaming_client.initial_volume'() {
    await start();
    await rig.reload(`${tone}[streaming_client]\ninitial_volume = 33\n`);
    await player('p');
    await untilConnected('p');
    expect(rig.application.registry.clients.get('p')?.volume).toBe(33);
  },
};

async function withLog(): Promise<void> {
  await start();
  log = new Log({ sink: `file:${pem('first.log')}`, format: 'text', filter: ['*:info'] });
}

/** Pages of `origin` may control the server, which they call by its own name, only with `line`. */
async function opensTo(line: string, origin: string): Promise<void> {
  await start();
  const { hostname } = new URL(origin);
  const status = async () => {
    const socket = net.connect(rig.application.ports.http, '127.0.0.1');
    ends.push(() => socket.destroy());
    const page = line.startsWith('allowed') ? origin : `${origin}:8080`;
    socket.write(`OPTIONS /jsonrpc HTTP/1.1\r\nHost: ${hostname}\r\nOrigin: ${page}\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    return String(answer).slice(9, 12);
  };
  expect(await status()).toBe('403');
  await rig.reload(`${tone}[http]\n${line}\n`);
  expect(await status()).toBe('204');
}

async function changesDefault(line: string, option: string, value: string): Promise<void> {
  const usual = sources('tone:///?name=usual');
  await start(usual);
  await rig.reload(`${usual}${line}\n`);
  const { stream } = rig.application.streams.channels.get('usual') ?? {};
  expect(String(Reflect.get(stream?.options ?? {}, option))).toBe(value);
  await rig.application.streams.addTrusted('tone:///?name=late');
  const late = rig.application.streams.channels.get('late')?.stream;
  expect(String(Reflect.get(late?.options ?? {}, option))).toBe(value);
}

/** Another value for each setting that waits for a restart. */
const restarts: Readonly<Record<string, string>> = {
  'clips.folder': '/tmp/clips',
  'clips.zero_copy': 'false',
  'clips.zero_copy_min_size': '1',
  'clips.zero_copy_verify': 'true',
  'clips.zero_copy_chunk_size': '1',
  'edge.origin': 'snap://studio.local',
  'edge.name': 'hall',
  'edge.streams': 'Music',
  'edge.login': 'hall:secret',
  'edge.time_port': '1',
  'server.threads': '4',
  'server.pidfile': '/tmp/pid',
  'server.user': 'nobody',
  'server.group': 'audio',
  'server.datadir': '/tmp/data',
  'server.mdns_enabled': 'true',
  'ssl.verify_clients': 'true',
  'http.enabled': 'false',
  'http.bind_to_address': '127.0.0.2',
  'http.port': '4711',
  'http.publish_http': 'false',
  'http.ssl_bind_to_address': '127.0.0.2',
  'http.ssl_port': '4711',
  'http.publish_https': 'false',
  'tcp-control.enabled': 'false',
  'tcp-control.bind_to_address': '127.0.0.2',
  'tcp-control.port': '4711',
  'tcp-control.publish': 'false',
  'tcp-streaming.enabled': 'false',
  'tcp-streaming.bind_to_address': '127.0.0.2',
  'tcp-streaming.port': '4711',
  'tcp-streaming.publish': 'false',
  'stream.persist_added': 'true',
  'stream.buffer': '2000',
  'stream.zerocopy': 'true',
  'stream.zerocopy_min_bytes': '1000',
  'stream.zerocopy_mode': 'always',
  'stream.send_interval': '100',
  'stream.instant_start': 'false',
  'stream.instant_start_burst': '100',
  'limits.max_request': '100',
  'limits.max_incomplete_requests': '2000',
  'limits.max_unread': '1000',
  'limits.max_http_header': '8',
};

const nameOf = ({ section, key }: { section: string; key: string }) => `${section}.${key}`;

describe('a setting that a reload puts into force', () => {
  const live = rows.filter(({ setting }) => setting.isLive);

  it('has its proof here', async () => {
    await start();
    expect(Object.keys(proofs).sort()).toEqual(live.map(nameOf).sort());
  });

  it.each(live.map(nameOf))('%s', async (name) => {
    await proofs[name]?.();
    const [section, key] = name.split('.');
    expect(rig.log.with('setting has changed').length).toBeGreaterThan(0);
    expect(rig.log.with(`[${section}] ${key}`).map(({ fields }) => fields.applies)).not.toContain(
      'restart',
    );
  });
});

describe('a setting that needs a restart', () => {
  // A certificate goes with this one; see "http.ssl_enabled" below.
  const waiting = rows.filter(({ setting }) => !setting.isLive).map(nameOf);

  it.each(waiting.filter((name) => name !== 'http.ssl_enabled'))(
    '%s is named, at each reload again, and nothing changes',
    async (name) => {
      await start();
      const [section = '', key = ''] = name.split('.');
      const { ports } = rig.application;
      const stream = rig.application.streams.channels.get('T');
      const text = `${tone}[${section}]\n${key} = ${restarts[name]}\n`;
      for (const _ of [1, 2]) {
        const { changed } = await rig.reload(text);
        expect(changed).toEqual([{ section, key, applies: 'restart' }]);
      }
      expect(rig.log.with('setting has changed').map(({ fields }) => fields.setting)).toEqual([
        `[${section}] ${key}`,
        `[${section}] ${key}`,
      ]);
      expect(rig.application.ports).toEqual(ports);
      expect(rig.application.streams.channels.get('T')).toBe(stream);
      expect((await rig.reload(tone)).changed).toEqual([]);
    },
  );
});
