import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noProperties } from '../../../src/audio/stream-properties.ts';
import { RpcError, SourceError } from '../../../src/base/errors.ts';
import { AddedStreams } from '../../../src/streams/added-streams.ts';
import { DirectoryRig, type DirectoryRigOptions, maxStreams } from '../../support/directory-rig.ts';
import { FifoWriter, makeFifoAt, openDescriptors, scratchFolder } from '../../support/fifo.ts';
import { numberedBytes, wavFile } from '../../support/pcm-fixtures.ts';
import { freePort } from '../../support/server-process.ts';
import { turn, until } from '../../support/waiting.ts';

const requester = { name: 'a controller' };

let folder: ReturnType<typeof scratchFolder>;
let pluginDir: string;
let sandboxDir: string;
let rig: DirectoryRig;
let descriptors: number;

beforeEach(() => {
  folder = scratchFolder();
  pluginDir = join(folder.path, 'plug-ins');
  sandboxDir = join(folder.path, 'sandbox');
  for (const path of [pluginDir, sandboxDir]) mkdirSync(path);
  descriptors = openDescriptors();
  open();
});

function open(options: DirectoryRigOptions = {}): void {
  rig = new DirectoryRig({ pluginDir, sandboxDir, ...options });
}

afterEach(async () => {
  await rig.directory.close();
  await until(() => openDescriptors() <= descriptors, 'all descriptors are closed');
  expect(rig.pool.isFull).toBe(true);
  rig.pool.close();
  folder.remove();
});

function program(path: string, script: string): string {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

async function listen(port = 0): Promise<net.Server> {
  const server = net.createServer((socket) => socket.on('error', () => undefined));
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return server;
}

function portOf(server: net.Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

async function end(server: net.Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

const textOf = (error: unknown) =>
  error instanceof RpcError ? error.data : error instanceof Error ? error.message : String(error);

/** What an answer would say; fails when the stream is added. */
async function refusal(address: string): Promise<string | undefined> {
  return rig.directory.add(address).then(
    ({ id }) => `added ${id}`,
    (error: unknown) => textOf(error),
  );
}

describe('a stream that a controller adds', () => {
  it('has started, is announced once, and says who wanted it', async () => {
    const channel = await rig.directory.add('tone:///?name=T', requester);
    expect(channel.id).toBe('T');
    expect(channel.codecHeaderMessage()).toBeDefined();
    expect(rig.names).toEqual(['T']);
    await until(() => channel.stream.state === 'playing');
    // A state that it has from the beginning is no change.
    expect(rig.announcements).toEqual([{ text: 'stream-added T', by: requester }]);
  });

  it('listens when the answer comes', async () => {
    const port = await freePort();
    await rig.directory.add(`tcp://127.0.0.1:${port}?name=T`);
    const producer = net.connect(port, '127.0.0.1');
    await once(producer, 'connect');
    producer.destroy();
  });

  it('fails when its name is taken, also by one that is just being opened', async () => {
    const path = join(folder.path, 'fifo');
    const outcomes = await Promise.allSettled([
      rig.directory.add(`pipe://${path}?name=X`),
      rig.directory.add('tone:///?name=X'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await refusal('tone:///?name=X')).toBe('Stream with name "X" already exists');
    expect(rig.told).toEqual(['stream-added X']);
  });

  it('gives its name back when it could not be opened', async () => {
    const outcomes = await Promise.allSettled([
      rig.directory.add('file:///does/not/exist?name=X'),
      rig.directory.add('tone:///?name=Y'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    await rig.directory.add('tone:///?name=X');
    expect(rig.names).toEqual(['Y', 'X']);
  });

  it.each(['127.0.0.1', 'localhost'])(
    'leaves nothing behind when its port on %s is taken',
    async (host) => {
      const taken = await listen();
      const before = openDescriptors();
      program(join(pluginDir, 'control.py'), 'cat');
      const address = `tcp://${host}:${portOf(taken)}?name=X&controlscript=control.py`;
      const text = await refusal(address);
      expect(text).toContain('EADDRINUSE');
      expect(text).toContain('choose another port');
      expect([rig.names, rig.told, rig.scripts]).toEqual([[], [], []]);
      expect(openDescriptors()).toBeLessThanOrEqual(before);
      expect(rig.pool.isFull).toBe(true);
      await end(taken);
      await rig.directory.add(address);
    },
  );

  it.each([
    ['pipe:///etc/hostname?name=X', 'source_dir in the section [stream]'],
    ['pipe:///tmp/no/such/fifo?name=X', 'the pipe /tmp/no/such/fifo cannot be used'],
    ['pipe:///?name=X', 'write three slashes'],
    ['file:///etc/shadow?name=X', 'source_dir in the section [stream]'],
    ['file:///tmp/../etc/shadow?name=X', 'source_dir in the section [stream]'],
    ['file:///tmp/no/such/file?name=X', 'the file /tmp/no/such/file cannot be played'],
    ['tcp://no.such.host.invalid:4953?name=X', 'no.such.host.invalid'],
    ['tcp://192.0.2.1:4953?name=X', 'this machine has no such address'],
    ['tcp://0.0.0.0:4953?name=X&mode=both', 'mode=both'],
    ['tone:///?name=X&codec=mp3', '"mp3" is no codec'],
    ['tone:///?name=X&sampleformat=48000:17:2', '48000:17:2'],
    ['tone:///?codec=pcm', 'Stream URI must have a name'],
    ['mp3:///?name=X', 'Unknown stream type: mp3'],
    ['tcp:4953?name=X', 'missing host separator'],
    ['nonsense', 'it names no scheme'],
    ['process:///bin/cat?name=X', "Process stream executable must be located in '"],
    ['process://?name=X', "Process stream executable must be located in '"],
    ['airplay:///?name=X', '/sandbox/shairport-sync does not exist'],
    ['librespot:///usr/bin/env?name=X', "executable must be located in '"],
    ['airplay:///?name=X&params=-B /bin/sh', 'params may be given in the configuration only'],
    ['spotify:///?name=X&cache=/etc', 'cache may be given in the configuration only'],
    ['tone:///?name=X&controlscript=missing.py', 'does not exist'],
    ['tone:///?name=X&controlscript=/bin/sh', "Control script must be located in '"],
  ])('%s is refused, and the answer says why', async (address, why) => {
    expect(await refusal(address)).toContain(why);
    expect([rig.names, rig.told]).toEqual([[], []]);
  });

  it.each([
    ['file', 'none', 'ENOENT'],
    ['file', '', 'no regular file'],
    ['file', 'short', 'less than 10 ms'],
    ['file', 'private', 'chmod o+r'],
    ['file', 'second', 'second name'],
    ['pipe', 'no/fifo', 'No such file or directory: make its folder first'],
    ['pipe', 'short', 'it is no fifo'],
    ['pipe', 'private-fifo', 'chmod o+r'],
  ])('does not tell what lies there as %s %s, but the log does', async (scheme, name, why) => {
    const path = (file: string) => join(folder.path, 'sources', file);
    mkdirSync(path(''));
    for (const file of ['short', 'private', 'first']) writeFileSync(path(file), 'text');
    linkSync(path('first'), path('second'));
    makeFifoAt(path('private-fifo'));
    for (const file of ['private', 'private-fifo']) chmodSync(path(file), 0o600);
    const address = `${scheme}://${path(name)}`;
    expect(await refusal(`${address}?name=X`)).toMatch(
      /^the (file|pipe) \S+ cannot be (played|used): the log of the server says why$/,
    );
    expect(rig.log.with('stream disabled')[0]?.fields.reason).toContain(why);
  });

  it('may start a program of the sandbox, but none of the same name elsewhere', async () => {
    program(join(sandboxDir, 'player'), 'exec cat /dev/zero');
    await rig.directory.add(`process://${sandboxDir}/player?name=P`);
    writeFileSync(join(sandboxDir, 'cat'), 'not executable, unlike the one in PATH');
    expect(await refusal(`process://${sandboxDir}/cat?name=C`)).toContain('may not be executed');
    expect(await refusal(`process://${sandboxDir}/tac?name=C`)).toContain('does not exist');
  });

  it('goes on with the program that was looked at, wherever its link leads by then', async () => {
    const real = program(join(sandboxDir, 'player'), 'exit 3');
    symlinkSync(real, join(folder.path, 'link'));
    await rig.directory.add(`process://${folder.path}/link?name=P`);
    await until(() => rig.log.with('program ended').length > 1, 'it is started again');
    const programs = rig.log.with('program ended').map(({ fields }) => fields.program);
    expect(new Set(programs)).toEqual(new Set([real]));
  });

  it('is refused with the mask that stands for a secret, which cannot be restored from it', async () => {
    const masked = 'tone:///?name=X&token=xxx&codec=pcm';
    expect(await refusal(masked)).toContain('token holds xxx in place of the secret');
    expect(await refusal('tone:///?name=X&token=abc&codec=pcm')).toBe('added X');
    expect(await refusal(masked)).toBe('Stream with name "X" already exists');
  });

  it('finds a limit', async () => {
    const address = (index: number) => `pipe://${folder.path}/none?mode=read&name=S${index}`;
    const all = Array.from({ length: maxStreams }, (_, index) => index);
    await Promise.all(all.map((index) => rig.directory.add(address(index))));
    expect(await refusal(address(maxStreams))).toBe(
      `there are ${maxStreams} streams already, and ${maxStreams} are the limit: remove one that is ` +
        'not needed, or raise [limits] max_streams',
    );
    await rig.directory.remove('S7');
    await rig.directory.add(address(maxStreams));
  });
});

describe('the samples per second that controllers add', () => {
  const stereo = 'sampleformat=48000:16:2';

  it.each([
    ['192000:32:8', true],
    ['768000:32:2', true],
    ['192001:32:8', false],
    ['768000:32:8', false],
  ])('of one stream are limited: %s is taken: %s', async (format, isTaken) => {
    const answer = await refusal(`tone:///?name=X&codec=pcm&sampleformat=${format}`);
    if (isTaken) expect(answer).toBe('added X');
    else expect(answer).toMatch(/1536000.* raise \[limits\] max_added_samples_each$/);
    expect(rig.names).toEqual(isTaken ? ['X'] : []);
  });

  it('are limited together, also those that are just being opened', async () => {
    open({ maxAddedSamples: 4 * 96_000 });
    const names = ['A', 'B', 'C', 'D', 'E', 'F'];
    const answers = await Promise.all(
      names.map((name) => refusal(`tone:///?${stereo}&name=${name}`)),
    );
    expect(answers.slice(0, 4)).toEqual(['added A', 'added B', 'added C', 'added D']);
    for (const answer of answers.slice(4)) {
      expect(answer).toMatch(/^48000:16:2 has 96000 .*384000 are in use.* max_added_samples$/);
    }
    await rig.directory.remove('B');
    expect(await refusal(`tone:///?${stereo}&name=E`)).toBe('added E');
  });

  it('are given back by what could not be opened', async () => {
    open({ maxAddedSamples: 96_000 });
    expect(await refusal(`file://${folder.path}/none?name=A&${stereo}`)).toContain(
      'cannot be played',
    );
    expect(await refusal('process:///bin/cat?name=A')).toContain('must be located in');
    expect(await refusal(`tone:///?name=A&${stereo}`)).toBe('added A');
  });

  it('are those that a file really has', async () => {
    const path = join(folder.path, 'wide.wav');
    const audio = Buffer.alloc(768_000 * 8 * 2 * 0.02);
    writeFileSync(path, wavFile(audio, { rateHz: 768_000, channels: 8 }));
    expect(await refusal(`file://${path}?name=A`)).toMatch(/^768000:16:8 has 6144000 samples/);
    expect(rig.names).toEqual([]);
  });

  it('do not stand in the way of a producer that has moved', async () => {
    open({ maxAddedSamples: 96_000 });
    const address = (port: number) => `tcp://127.0.0.1:${port}?name=A&mode=client&${stereo}`;
    await rig.directory.add(address(await freePort()));
    await rig.directory.add(address(await freePort()));
    await rig.directory.remove('A');
    await rig.directory.add(address(await freePort()));
    expect(await refusal(`tone:///?name=B&${stereo}`)).toContain('96000 are in use');
  });

  it('are unlimited for the configuration and the program', async () => {
    open({ maxAddedSamples: 1000 });
    await rig.directory.addConfigured(`tone:///?name=A&${stereo}`);
    await rig.directory.addTrusted('tone:///?name=B&codec=pcm&sampleformat=768000:32:8');
    expect(rig.names).toEqual(['A', 'B']);
  });
});

describe('the limit of streams', () => {
  it('never cuts those of the configuration', async () => {
    open({ maxStreams: 2 });
    for (const name of ['A', 'B', 'C']) await rig.directory.addConfigured(`tone:///?name=${name}`);
    expect(rig.names).toEqual(['A', 'B', 'C']);
    expect(await refusal('tone:///?name=D')).toMatch(
      /^there are 3 streams already, and 2 are the limit/,
    );
    const addresses = ['A', 'B', 'C', 'D', 'E'].map((name) => `tone:///?name=${name}&codec=pcm`);
    const report = await rig.directory.reconfigure(addresses);
    expect(report.warnings).toEqual([]);
    expect(rig.names).toEqual(['A', 'B', 'C', 'D', 'E']);
  });

  it('leaves room for those of the configuration beside what was added before', async () => {
    open({ maxStreams: 2 });
    await rig.directory.add('tone:///?name=A');
    await rig.directory.add('tone:///?name=B');
    await rig.directory.reconfigure(['tone:///?name=C']);
    expect(rig.names).toEqual(['C', 'A', 'B']);
  });
});

describe('the streams that well-known programs add', () => {
  it('are those of Music Assistant', async () => {
    program(join(pluginDir, 'control.py'), 'cat');
    const port = await freePort();
    const name = 'Music Assistant - Küche 1 (announcement)';
    const address =
      `tcp://0.0.0.0:${port}?sampleformat=48000:16:2&idle_threshold=60000&controlscript=control.py` +
      '&controlscriptparams=--queueid=q1%20--socket=/tmp/ma-snapcast-q1.sock' +
      `%20--streamserver-ip=10.0.0.1%20--streamserver-port=8097&name=${name}`;
    const channel = await rig.directory.add(address, requester);
    expect(channel.id).toBe(name);
    const { uri, idleThresholdMs } = channel.stream.options;
    expect([uri.host, uri.path, idleThresholdMs]).toEqual([`0.0.0.0:${port}`, '', 60_000]);
    expect(rig.scripts[0]?.request).toMatchObject({
      streamId: name,
      script: join(pluginDir, 'control.py'),
      params:
        '--queueid=q1 --socket=/tmp/ma-snapcast-q1.sock ' +
        '--streamserver-ip=10.0.0.1 --streamserver-port=8097',
    });
    const producer = net.connect(port, '127.0.0.1');
    producer.on('error', () => undefined);
    await once(producer, 'connect');
    producer.write(numberedBytes(40_000));
    await until(() => channel.stream.state === 'playing');
    await rig.directory.remove(name);
    expect(rig.scripts[0]?.isStopped).toBe(true);
    await end(await listen(port));
    await rig.directory.add(address.replace('48000:16:2', '48000:24:2&packed_s24le=true'));
    producer.destroy();
  });

  const pipeWire = (port: number) =>
    `tcp://127.0.0.1:${port}?name=PipeWire-host&mode=client&sampleformat=48000:16:2&codec=pcm&chunk_ms=20`;

  it('are those of PipeWire', async () => {
    const producer = await listen();
    producer.on('connection', (socket) => socket.write(numberedBytes(40_000)));
    const channel = await rig.directory.add(pipeWire(portOf(producer)));
    await until(() => channel.stream.state === 'playing');
    expect(channel.stream.options.uri.host).toBe(`127.0.0.1:${portOf(producer)}`);
    const other = pipeWire(await freePort());
    expect(await refusal(other)).toBe('Stream with name "PipeWire-host" already exists');
    expect(rig.directory.channels.get('PipeWire-host')).toBe(channel);
    await rig.directory.remove('PipeWire-host');
    await end(producer);
  });

  it('replace what PipeWire left when it listens elsewhere after a restart', async () => {
    const gone = await freePort();
    const old = await rig.directory.add(pipeWire(gone));
    expect(await refusal(pipeWire(gone))).toContain('already exists');
    const producer = await listen();
    producer.on('connection', (socket) => socket.write(numberedBytes(40_000)));
    const channel = await rig.directory.add(pipeWire(portOf(producer)), requester);
    expect(channel).not.toBe(old);
    expect(rig.names).toEqual(['PipeWire-host']);
    expect(rig.told.slice(0, 3)).toEqual([
      'stream-added PipeWire-host',
      'stream-removed PipeWire-host',
      'stream-added PipeWire-host',
    ]);
    await until(() => channel.stream.state === 'playing');
    await rig.directory.remove('PipeWire-host');
    await end(producer);
  });

  it('stay when what is to replace them cannot be opened', async () => {
    program(join(pluginDir, 'control.py'), 'cat');
    const old = await rig.directory.add(pipeWire(await freePort()));
    const other = pipeWire(await freePort());
    expect(await refusal(`${other}&controlscript=missing.py`)).toContain('does not exist');
    expect(await refusal(other.replace('codec=pcm', 'codec=mp3'))).toContain('no codec');
    expect(rig.directory.channels.get('PipeWire-host')).toBe(old);
    expect(rig.told).toEqual(['stream-added PipeWire-host']);
  });

  it('replace what PipeWire left also when there is no room for another stream', async () => {
    await rig.directory.add(pipeWire(await freePort()));
    const others = Array.from({ length: maxStreams - 1 }, (_, index) => index);
    const none = `pipe://${folder.path}/none?mode=read`;
    await Promise.all(others.map((index) => rig.directory.add(`${none}&name=S${index}`)));
    const old = rig.directory.channels.get('PipeWire-host');
    await rig.directory.add(pipeWire(await freePort()));
    expect(rig.directory.channels.get('PipeWire-host')).not.toBe(old);
    expect(await refusal(`${none}&name=more`)).toContain(`${maxStreams} are the limit`);
  });

  it('have one control script at a time', async () => {
    program(join(pluginDir, 'control.py'), 'cat');
    const scripted = (port: number) => `${pipeWire(port)}&controlscript=control.py`;
    await rig.directory.add(scripted(await freePort()));
    const [first] = rig.scripts;
    let finish: () => void = () => undefined;
    if (first) first.end = new Promise((resolve) => (finish = resolve));
    const adding = rig.directory.add(scripted(await freePort()));
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(rig.scripts).toHaveLength(1);
    finish();
    await adding;
    expect(rig.scripts.map(({ isStopped }) => isStopped)).toEqual([true, false]);
  });

  it('are gone however often they move and are removed in between', async () => {
    for (let round = 0; round < 5; round += 1) {
      const steps = [8, 9].map((port) => rig.directory.add(pipeWire(port)).catch(() => undefined));
      steps.push(rig.directory.add(pipeWire(7)).catch(() => undefined));
      await Promise.all([...steps, rig.directory.remove('PipeWire-host')]);
      await rig.directory.remove('PipeWire-host');
      expect(rig.names).toEqual([]);
    }
  });

  it('never replace what somebody else added', async () => {
    const [a, b] = [await freePort(), await freePort()];
    await rig.directory.addConfigured(pipeWire(a));
    await rig.directory.add(`tcp://127.0.0.1:${a}?name=Server`);
    expect(await refusal(pipeWire(b))).toContain('already exists');
    expect(await refusal(`tcp://127.0.0.1:${b}?name=Server`)).toContain('already exists');
    expect(await refusal(`tcp://127.0.0.1:${b}?name=Server&mode=client`)).toContain(
      'already exists',
    );
  });
});

describe('a stream that is removed', () => {
  it('is off the list and announced before anything else happens', async () => {
    program(join(pluginDir, 'control.py'), 'cat');
    const channel = await rig.directory.add('tone:///?name=T&controlscript=control.py');
    await until(() => channel.stream.state === 'playing');
    let isEnding = false;
    rig.onChange = ({ kind }) => {
      if (kind !== 'stream-removed') return;
      isEnding = rig.directory.channels.has('T') || rig.scripts[0]?.isStopped === true;
    };
    const removal = rig.directory.remove('T', requester);
    expect(rig.names).toEqual([]);
    expect(rig.announcements.at(-1)).toEqual({ text: 'stream-removed T', by: requester });
    expect(isEnding).toBe(false);
    await removal;
    expect(rig.scripts[0]?.isStopped).toBe(true);
    rig.scripts[0]?.request.onProperties({ ...noProperties, canPlay: true });
    expect(rig.told.at(-1)).toBe('stream-removed T');
  });

  it('may be unknown', async () => {
    await rig.directory.remove('nobody', requester);
    expect(rig.told).toEqual([]);
  });

  it('is gone for everybody who asked for that', async () => {
    program(join(sandboxDir, 'player'), 'exec cat /dev/zero');
    const channel = await rig.directory.add(`process://${sandboxDir}/player?name=P`);
    channel.stream.activate();
    await until(() => channel.stream.encodeFigures.encodedChunks > 2);
    await Promise.all([rig.directory.remove('P'), rig.directory.remove('P')]);
    expect(rig.told.filter((text) => text === 'stream-removed P')).toHaveLength(1);
    expect(openDescriptors()).toBeLessThanOrEqual(descriptors);
    expect(rig.pool.isFull).toBe(true);
  });

  it('keeps its name until its script has ended', async () => {
    program(join(pluginDir, 'control.py'), 'cat');
    await rig.directory.add('tone:///?name=T&controlscript=control.py');
    const [script] = rig.scripts;
    let finish: () => void = () => undefined;
    if (script) script.end = new Promise((resolve) => (finish = resolve));
    const removal = rig.directory.remove('T');
    const again = rig.directory.add('tone:///?name=T');
    await expect(rig.directory.add('tone:///?name=T')).rejects.toThrow('already exists');
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(rig.names).toEqual([]);
    finish();
    await Promise.all([removal, again]);
    expect(rig.names).toEqual(['T']);
    expect(rig.told.slice(0, 3)).toEqual(['stream-added T', 'stream-removed T', 'stream-added T']);
  });

  it('may still be being opened', async () => {
    const opening = rig.directory.add(`pipe://${join(folder.path, 'fifo')}?name=P`);
    await rig.directory.remove('P', requester);
    expect((await opening).stream.state).toBe('idle');
    expect(rig.names).toEqual([]);
    expect(rig.told).toEqual(['stream-added P', 'stream-removed P']);
  });

  it('may be one that is being opened in vain', async () => {
    const opening = refusal(`pipe://${folder.path}/no/fifo?name=P`);
    await rig.directory.remove('P');
    expect(await opening).toContain('cannot be used');
  });

  it('stops draining a fifo whose writer goes on', async () => {
    const path = join(folder.path, 'fifo');
    const channel = await rig.directory.add(`pipe://${path}?name=P`);
    const writer = new FifoWriter(path);
    writer.write(numberedBytes(65_536));
    await until(() => channel.stream.state === 'playing');
    await rig.directory.remove('P');
    expect(() => writer.write(numberedBytes(65_536))).toThrow('EPIPE');
    writer.close();
    expect(existsSync(path)).toBe(true);
  });

  it('frees its port at once', async () => {
    const port = await freePort();
    for (const name of ['A', 'B', 'C']) {
      await rig.directory.add(`tcp://127.0.0.1:${port}?name=${name}`);
      await rig.directory.remove(name);
    }
    const removal = rig.directory.add(`tcp://127.0.0.1:${port}?name=D`);
    await removal;
    void rig.directory.remove('D');
    await rig.directory.add(`tcp://127.0.0.1:${port}?name=E`);
  });
});

describe('streams of the configuration', () => {
  it('may start any program and any script', async () => {
    const player = program(join(folder.path, 'player'), 'exec cat /dev/zero');
    const script = program(join(folder.path, 'control'), 'cat');
    await rig.directory.addConfigured(`process://${player}?name=P&controlscript=${script}`);
    expect(rig.scripts[0]?.request.script).toBe(script);
  });

  it('are left out when their address is bad, and there when only their source is', async () => {
    const fault = 'file:///does/not/exist?name=Disabled';
    for (const address of [
      'tone:///?codec=pcm',
      fault,
      'tone:///?name=Hidden&codec=null',
      'tone:///?name=Good',
      'tone:///?name=Good&freq=880',
    ]) {
      await rig.directory.addConfigured(address);
    }
    expect(rig.names).toEqual(['Disabled', 'Hidden', 'Good']);
    expect(rig.directory.default?.id).toBe('Good');
    const leftOut = rig.log.with('stream left out').map(({ fields }) => String(fields.reason));
    expect(leftOut).toHaveLength(2);
    expect(leftOut[0]).toContain('must have a name');
    expect(leftOut[1]).toBe('Stream with name "Good" already exists');
    expect(rig.told.slice(0, 3)).toEqual([
      'stream-added Disabled',
      'stream-added Hidden',
      'stream-added Good',
    ]);
  });
});

describe('streams that lack something at the start', () => {
  it('play while their control script is missing, and it is started until it is there', async () => {
    await rig.directory.addConfigured('tone:///?name=A&controlscript=missing.py');
    const channel = rig.directory.channels.get('A');
    expect(channel?.stream.state).not.toBe('disabled');
    expect(rig.scripts[0]?.request.script).toBe(join(pluginDir, 'missing.py'));
  });

  it.each([
    [
      'lies in a folder that does not exist',
      () => undefined,
      (path: string) => mkdirSync(dirname(path)),
      'No such file or directory',
    ],
    [
      'is a folder',
      (path: string) => mkdirSync(path, { recursive: true }),
      (path: string) => rmdirSync(path),
      'it is no fifo',
    ],
    [
      'is a file',
      (path: string) => {
        mkdirSync(dirname(path));
        writeFileSync(path, '');
      },
      (path: string) => rmSync(path),
      'it is no fifo',
    ],
  ])('are disabled while their fifo %s, and play it when it is one', async (_, spoil, fix, why) => {
    const path = join(folder.path, 'later', 'fifo');
    spoil(path);
    await rig.directory.addConfigured(`pipe://${path}?name=P`);
    await rig.directory.addConfigured('tone:///?name=T');
    const channel = () => rig.directory.channels.get('P');
    expect(channel()?.stream.fault?.message).toContain(why);
    expect(rig.directory.default?.id).toBe('T');
    // Time for several attempts, none of which is worth a line.
    await new Promise((resolve) => setTimeout(resolve, 1800));
    expect(rig.log.with('stream disabled')).toHaveLength(1);
    expect(rig.told).toHaveLength(2);
    fix(path);
    await until(() => channel()?.stream.state === 'idle', 'it is opened');
    expect(rig.names).toEqual(['P', 'T']);
    const writer = new FifoWriter(path);
    writer.write(numberedBytes(65_536));
    await until(() => channel()?.stream.state === 'playing');
    writer.close();
    expect(rig.log.with('stream disabled')).toHaveLength(1);
  });

  it('are disabled when their fifo is replaced, and play when it is back', async () => {
    const path = join(folder.path, 'fifo');
    await rig.directory.addConfigured(`pipe://${path}?name=P`);
    rmSync(path);
    mkdirSync(path);
    const state = () => rig.directory.channels.get('P')?.stream.state;
    await until(() => state() === 'disabled', 'the fifo is missed');
    rmdirSync(path);
    await until(() => state() === 'idle', 'it is opened');
    expect(statSync(path).isFIFO()).toBe(true);
  });

  it('are forgotten with the stream, and at the end', async () => {
    const path = join(folder.path, 'later', 'fifo');
    await rig.directory.addConfigured(`pipe://${path}?name=P`);
    await rig.directory.addConfigured(`pipe://${path}?name=Q`);
    await rig.directory.remove('P');
    mkdirSync(dirname(path));
    await until(() => rig.directory.channels.get('Q')?.stream.state === 'idle');
    expect(rig.names).toEqual(['Q']);
  });

  it('are those of a reload that comes in between', async () => {
    const path = join(folder.path, 'later', 'fifo');
    const address = `pipe://${path}?name=P`;
    await rig.directory.addConfigured(address);
    mkdirSync(dirname(path));
    for (let count = 0; count < 20; count += 1) {
      await rig.directory.reconfigure([address]);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(rig.log.with('stream left out')).toEqual([]);
    expect(rig.directory.channels.get('P')?.stream.state).toBe('idle');
  });

  it('are refused when a controller adds them, who is told at once', async () => {
    const path = join(folder.path, 'later', 'fifo');
    expect(await refusal(`pipe://${path}?name=P`)).toContain('cannot be used');
    expect(await refusal('tone:///?name=T&controlscript=missing.py')).toContain('does not exist');
    expect(rig.names).toEqual([]);
  });
});

describe('streams that read one fifo', () => {
  const shared = () => rig.log.with('streams share a fifo').map(({ fields }) => fields.reason);

  it('are warned about, however the fifo is named', async () => {
    const path = join(folder.path, 'fifo');
    symlinkSync(folder.path, join(folder.path, 'link'));
    await rig.directory.addConfigured(`pipe://${path}?name=A`);
    await rig.directory.addConfigured(`pipe://${path}2?name=Other`);
    expect(shared()).toEqual([]);
    await rig.directory.addConfigured(`pipe://${folder.path}/link/fifo?name=B&mode=read`);
    expect(shared()).toEqual([
      `the streams "A" and "B" read one fifo, ${path}, and each gets a part of the audio`,
    ]);
  });

  it('are told of by a reload, and a stream that only gets another name is none', async () => {
    const path = join(folder.path, 'fifo');
    await rig.directory.addConfigured(`pipe://${path}?name=A`);
    const renamed = await rig.directory.reconfigure([`pipe://${path}?name=B`]);
    expect(renamed.warnings).toEqual([]);
    expect(shared()).toEqual([]);
    const both = [`pipe://${path}?name=B`, `pipe://${path}?name=C`];
    const report = await rig.directory.reconfigure(both);
    expect(report.warnings).toEqual([expect.stringContaining('"B" and "C" read one fifo')]);
    expect(shared()).toHaveLength(1);
    // Also when nothing has changed since.
    expect((await rig.directory.reconfigure(both)).warnings).toHaveLength(1);
  });
});

describe('what a stream says of itself', () => {
  it('is announced: that it plays, is idle, and cannot go on', async () => {
    const path = join(folder.path, 'fifo');
    const channel = await rig.directory.add(`pipe://${path}?name=P`);
    const writer = new FifoWriter(path);
    writer.write(numberedBytes(20_000));
    await until(() => channel.stream.state === 'playing');
    writer.close();
    await until(() => channel.stream.state === 'idle');
    channel.stream.activate();
    channel.stream.deactivate();
    expect(rig.told).toEqual(['stream-added P', 'stream-state P', 'stream-state P']);
    folder.remove();
    mkdirSync(path, { recursive: true });
    await until(() => channel.stream.state === 'disabled', 'the fifo is missed');
    expect(rig.told).toHaveLength(4);
    expect(rig.directory.default).toBeUndefined();
    expect(channel.stream.fault).toBeInstanceOf(SourceError);
  });

  it('is announced: what its control script knows, and only when that is something else', async () => {
    program(join(pluginDir, 'control.py'), 'cat');
    const channel = await rig.directory.add('file:///does/not/exist?name=F').catch(() => undefined);
    expect(channel).toBeUndefined();
    const file = join(folder.path, 'audio.raw');
    writeFileSync(file, Buffer.alloc(40_000));
    const plain = await rig.directory.add(`file://${file}?name=F`);
    expect(plain.streamController).toBeUndefined();
    expect(plain.properties).toMatchObject({ canControl: false });
    const controlled = await rig.directory.add(`file://${file}?name=C&controlscript=control.py`);
    const [script] = rig.scripts;
    expect(controlled.streamController).toBe(script);
    const told = rig.told.length;
    for (let times = 0; times < 3; times += 1) {
      script?.request.onProperties({ ...noProperties, canControl: true });
    }
    expect(controlled.properties.canControl).toBe(true);
    expect(rig.told.slice(told)).toEqual(['stream-properties C']);
  });

  it('is measured', async () => {
    const channel = await rig.directory.add('tone:///?name=T&codec=flac');
    const { stream, broadcast } = channel;
    expect(stream.encodeFigures).toMatchObject({ encodedChunks: 0, encodeUs: 0 });
    expect(broadcast.subscribers).toBe(0);
    stream.activate();
    await until(() => stream.encodeFigures.encodedChunks > 5);
    expect(stream.encodeFigures.encodeUs).toBeGreaterThan(0);
    expect(broadcast.chunkAgeUs).toBeGreaterThan(0);
    const { maxChunkAgeUs } = broadcast;
    expect(maxChunkAgeUs).toBeGreaterThanOrEqual(broadcast.chunkAgeUs);
    expect(broadcast.maxChunkAgeUs).toBe(maxChunkAgeUs);
    const { encodedChunks } = stream.encodeFigures;
    stream.deactivate();
    await rig.directory.remove('T');
    expect(stream.encodeFigures.encodedChunks).toBeGreaterThanOrEqual(encodedChunks);
  });
});

describe('a stream of the program itself', () => {
  const silence = { format: '48000:16:2', piece: Buffer.alloc(3840) };

  it('reads what the program gives, and lets go of it in the end', async () => {
    let isReturned = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield numberedBytes(1000);
      } finally {
        isReturned = true;
      }
    }
    const options = { name: 'My & own "stream"', codec: 'pcm', sampleFormat: '44100:16:2' };
    const channel = await rig.directory.addInput({ ...options, input: endless() });
    expect(channel.id).toBe(options.name);
    expect(String(channel.stream.options.format)).toBe('44100:16:2');
    await until(() => channel.stream.state === 'playing');
    await rig.directory.remove(channel.id);
    expect(isReturned).toBe(true);
  });

  it('may have a source of its own making, with the options of any stream', async () => {
    let stops = 0;
    const channel = await rig.directory.addSource(
      {
        name: 'Own',
        sampleFormat: silence.format,
        idleThresholdMs: 5000,
        createSource: ({ format, packed24 }) => ({
          format,
          packed24,
          start: () => undefined,
          read: () => undefined,
          stop: async () => {
            stops += 1;
          },
        }),
      },
      requester,
    );
    expect(channel.stream.options.idleThresholdMs).toBe(5000);
    expect(rig.announcements).toEqual([{ text: 'stream-added Own', by: requester }]);
    await rig.directory.remove('Own');
    expect(stops).toBe(1);
  });

  it.each([
    ['a name', { name: ' ' }, 'must have a name'],
    ['a format', { name: 'X', sampleFormat: '48' }, '48'],
    ['a codec', { name: 'X', codec: 'mp3' }, '"mp3" is no codec'],
    ['a chunk length', { name: 'X', chunkMs: 0 }, 'chunk_ms=0'],
  ])('is refused without %s that can be used', async (_, options, why) => {
    const input = (async function* () {})();
    await expect(rig.directory.addInput({ ...options, input })).rejects.toThrow(why);
    await expect(rig.directory.addInput({ ...options, input })).rejects.toThrow(SourceError);
    expect(rig.names).toEqual([]);
  });

  it('is refused when its source cannot be made', async () => {
    const createSource = () => {
      throw new SourceError('no-device', 'the device is missing');
    };
    await expect(rig.directory.addSource({ name: 'X', createSource })).rejects.toThrow(
      'the device is missing',
    );
  });
});

describe('the directory', () => {
  it('closes all streams, and those that are just being opened', async () => {
    program(join(pluginDir, 'control.py'), 'cat');
    await rig.directory.add('tone:///?name=A&controlscript=control.py');
    let answer: string | undefined;
    void refusal(`pipe://${join(folder.path, 'fifo')}?name=B`).then((text) => (answer = text));
    const told = rig.told.length;
    await rig.directory.close();
    expect(answer).toBe('the server stops');
    expect(rig.scripts[0]?.isStopped).toBe(true);
    expect(rig.told).toHaveLength(told);
    expect(await refusal('tone:///?name=C')).toBe('the server stops');
  });

  it('leaks nothing over many rounds', async () => {
    const port = await freePort();
    const [exits, handles] = [process.listenerCount('exit'), process.getActiveResourcesInfo()];
    for (let round = 0; round < 30; round += 1) {
      const codec = ['pcm', 'flac', 'opus'][round % 3];
      const channel = await rig.directory.add(`tcp://127.0.0.1:${port}?name=X&codec=${codec}`);
      const producer = net.connect(port, '127.0.0.1');
      producer.on('error', () => undefined);
      producer.write(numberedBytes(10_000));
      channel.stream.activate();
      await until(() => channel.stream.encodeFigures.encodedChunks > 0 || round % 3 !== 0);
      await rig.directory.remove('X');
      producer.destroy();
      expect(rig.pool.isFull).toBe(true);
    }
    await until(() => openDescriptors() <= descriptors, 'all descriptors are closed');
    expect(process.listenerCount('exit')).toBe(exits);
    const timers = (all: string[]) => all.filter((kind) => kind === 'Timeout').length;
    expect(timers(process.getActiveResourcesInfo())).toBeLessThanOrEqual(timers(handles) + 1);
  });
});

describe('streams that are to outlive a restart', () => {
  const path = () => join(folder.path, 'streams.json');
  const saved = () => JSON.parse(readFileSync(path(), 'utf8')).streams;

  async function openSaving(): Promise<void> {
    open({ persist: await AddedStreams.open({ path: path(), logger: rig.log }) });
  }

  it('are those that controllers have added and not removed', async () => {
    await openSaving();
    const port = await freePort();
    const kept = `tcp://127.0.0.1:${port}?name=Kept one&codec=pcm`;
    await rig.directory.addConfigured('tone:///?name=Configured');
    await rig.directory.add(kept);
    await rig.directory.add('tone:///?name=Removed');
    await rig.directory.addTrusted('tone:///?name=Library');
    await Promise.all([
      rig.directory.add('tone:///?name=Brief'),
      rig.directory.remove('Brief'),
      rig.directory.remove('Removed'),
      refusal('file:///does/not/exist?name=Bad'),
    ]);
    await rig.directory.close();
    expect(saved()).toEqual([kept]);
    await openSaving();
    await rig.directory.addConfigured('tone:///?name=Configured');
    await rig.directory.restoreAdded();
    expect(rig.names).toEqual(['Configured', 'Kept one']);
    await rig.directory.remove('Kept one');
    await rig.directory.close();
    expect(saved()).toEqual([]);
  });

  it('stay saved while they cannot be opened, and are as little trusted as before', async () => {
    const fault = 'file:///does/not/exist?name=Later';
    const sly = 'process:///bin/cat?name=Sly';
    const bad = 'no address';
    const streams = [fault, sly, bad, 'tone:///?name=Good'];
    writeFileSync(path(), JSON.stringify({ version: 1, streams }));
    await openSaving();
    await rig.directory.restoreAdded();
    expect(rig.names).toEqual(['Good']);
    expect(rig.log.with('saved stream left out')).toHaveLength(3);
    await rig.directory.add('tone:///?name=Another');
    await rig.directory.remove('Sly');
    await rig.directory.close();
    expect(saved()).toEqual([fault, bad, 'tone:///?name=Good', 'tone:///?name=Another']);
  });
});
