import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  ConfigError,
  createServer,
  RpcError,
  type ServerOptions,
  SourceError,
  type ZerocastServer,
} from '../../src/index.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeServerSettings } from '../../src/protocol/messages.ts';
import { LogLines } from '../support/log-lines.ts';
import { makeScratchFolder, removeScratchFolder } from '../support/scratch-folder.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { turn, until } from '../support/waiting.ts';

const loopback: ServerOptions = {
  tcpStreaming: { bindToAddress: ['127.0.0.1'], port: 0 },
  tcpControl: { bindToAddress: ['127.0.0.1'], port: 0 },
  http: { bindToAddress: ['127.0.0.1'], port: 0 },
  server: { mdnsEnabled: false },
  stream: { codec: 'pcm', buffer: 500 },
};

const frameBytes = 4;
const blockFrames = 960;

/** Samples that count up, so that every byte has its place. */
function block(index: number): Uint8Array {
  const samples = new Int16Array(blockFrames * 2);
  for (let i = 0; i < samples.length; i += 1) samples[i] = (index * samples.length + i) | 1;
  return new Uint8Array(samples.buffer);
}

async function* counting(blocks = Number.POSITIVE_INFINITY) {
  for (let index = 0; index < blocks; index += 1) yield block(index);
}

const servers: ZerocastServer[] = [];

async function listening(options: ServerOptions = loopback): Promise<ZerocastServer> {
  const server = createServer(options);
  servers.push(server);
  await server.listen();
  return server;
}

async function player(server: ZerocastServer, id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(server.ports.streaming, id);
  onTestFinished(() => client.close());
  return client;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe('a server inside a program', () => {
  it('plays what an async iterable yields, bit by bit', async () => {
    const server = await listening();
    await server.addStream({ name: 'own', sampleFormat: '48000:16:2', input: counting() });
    const client = await player(server, 'a');
    await client.untilCount(messageType.wireChunk, 20);
    const pcm = Buffer.concat(client.chunks.map(({ body }) => body.subarray(12)));
    const expected = Buffer.concat(Array.from({ length: 200 }, (_, index) => block(index)));
    const start = expected.indexOf(pcm.subarray(0, 64));
    expect(start).toBeGreaterThanOrEqual(0);
    expect(start % frameBytes).toBe(0);
    expect(pcm.equals(expected.subarray(start, start + pcm.length))).toBe(true);
  });

  it('plays a Readable, and is idle after its end', async () => {
    const server = await listening();
    const input = Readable.from(counting(30));
    await server.addStream({ name: 'own', sampleFormat: '48000:16:2', input });
    const client = await player(server, 'a');
    await client.untilCount(messageType.wireChunk, 10);
    await until(() => server.streams[0]?.state === 'idle');
    expect(server.streams).toMatchObject([{ id: 'own', codec: 'pcm', state: 'idle' }]);
  });

  it('tells of clients and streams as they come, change and go', async () => {
    const server = await listening();
    const told: string[] = [];
    server.on('streamAdded', ({ id }) => told.push(`added ${id}`));
    server.on('streamRemoved', ({ id }) => told.push(`removed ${id}`));
    server.on('clientConnected', ({ id, streamId }) => told.push(`${id} plays ${streamId}`));
    server.on('clientChanged', ({ id, volume }) => told.push(`${id} at ${volume}`));
    server.on('groupsChanged', () => told.push('groups'));
    const stop = server.on('clientDisconnected', ({ id }) => told.push(`${id} gone`));
    await server.addStream('tone:///?name=first&codec=pcm');
    const client = await ScriptedClient.greet(server.ports.streaming, 'a');
    await until(() => server.clients[0]?.isConnected === true);
    await server.request('Client.SetVolume', { id: 'a', volume: { percent: 30 } });
    client.close();
    await until(() => told.includes('a gone'));
    await server.removeStream('first');
    expect(told).toEqual(['added first', 'a plays first', 'a at 30', 'a gone', 'removed first']);
    stop();
    await player(server, 'a').then((again) => again.close());
    await until(() => server.clients[0]?.isConnected === false);
    expect(told.filter((each) => each === 'a gone')).toHaveLength(1);
  });

  it('tells what a scene has changed', async () => {
    const server = await listening();
    await server.addStream('tone:///?name=first&codec=pcm');
    await player(server, 'a');
    await player(server, 'b');
    await until(() => server.clients.every(({ isConnected }) => isConnected));
    const told: string[] = [];
    server.on('clientChanged', ({ id, volume }) => told.push(`${id} at ${volume}`));
    server.on('groupChanged', ({ groupId }) => told.push(`group ${groupId}`));
    server.on('groupsChanged', () => told.push('groups'));
    const clients = [{ id: 'a', volume: { percent: 30 } }, { id: 'b' }];
    await server.request('Scene.Apply', { scene: { groups: [{ id: 'g', clients }] } });
    await until(() => told.length === 3);
    expect(told).toEqual(['groups', 'group g', 'a at 30']);
    await server.request('Scene.Save', { name: 'Both' });
    expect(await server.request('Scene.List')).toMatchObject({ scenes: [{ name: 'Both' }] });
  });

  it('answers requests as controllers get them, and its players obey', async () => {
    const server = await listening();
    const client = await player(server, 'a');
    await client.untilCount(messageType.serverSettings, 1);
    const result = await server.request('Client.SetVolume', { id: 'a', volume: { percent: 250 } });
    expect(result).toEqual({ volume: { muted: false, percent: 100 } });
    await server.request('Client.SetVolume', { id: 'a', volume: { muted: true } });
    await until(() => client.of(messageType.serverSettings).length === 3);
    const { body } = client.of(messageType.serverSettings).at(-1) ?? expect.fail('no settings');
    expect(decodeServerSettings(body)).toMatchObject({ muted: true, volume: 100 });
    const unknown = server.request('Client.SetVolume', { id: 'b', volume: { percent: 1 } });
    await expect(unknown).rejects.toThrow(RpcError);
    await expect(unknown).rejects.toMatchObject({
      code: 'rpc',
      rpcCode: -32603,
      data: 'Client not found',
    });
  });

  it('keeps nothing on disk, has no stream and writes no log unless it is told to', async () => {
    const server = await listening();
    expect(server.streams).toEqual([]);
    await player(server, 'a').then((client) => client.untilCount(messageType.serverSettings, 1));
    expect(server.clients).toHaveLength(1);
    await server.close();
    const again = await listening();
    expect(again.clients).toEqual([]);
  });

  it('writes its log to the logger of the program', async () => {
    const log = new LogLines();
    const server = createServer(loopback, log);
    servers.push(server);
    await server.listen();
    expect(log.with('listening for clients')).toHaveLength(1);
  });

  it('can be closed and listen again on the same ports', async () => {
    const server = await listening();
    const { streaming, control } = server.ports;
    await server.close();
    expect(server.ports).toEqual({ streaming: 0, control: 0, http: 0, https: 0 });
    const same = await listening({
      ...loopback,
      tcpStreaming: { bindToAddress: ['127.0.0.1'], port: streaming },
      tcpControl: { bindToAddress: ['127.0.0.1'], port: control },
    });
    expect(same.ports).toMatchObject({ streaming, control });
  });

  it('says at once which options cannot be used', () => {
    const bad = { stream: { buffer: -5, codec: 'no codec' }, tcpControl: { port: 99_999 } };
    expect(() => createServer(bad)).toThrow(ConfigError);
    expect(() => createServer(bad)).toThrow(/option tcpControl\.port/);
    const misspelt = { stream: { bufer: 1000 } };
    expect(() => createServer(misspelt as ServerOptions)).toThrow('no such option: stream.bufer');
  });

  it.each([
    [null, 'the options are null; give an object'],
    [[], 'the options are a list; give an object'],
    [{ stream: null }, 'option stream is null; give an object'],
    [{ stream: 'flac' }, 'option stream is a string; give an object'],
    [{ stream: { buffer: '500' } }, 'option stream.buffer is a string; give a number'],
    [{ stream: { buffer: null } }, 'option stream.buffer is null; give a whole number'],
    [{ stream: { buffer: [500, 600] } }, 'option stream.buffer is a list; give a whole number'],
    [{ stream: { codec: 5 } }, 'option stream.codec is a number; give a string'],
    [{ stream: { source: 'tone:///?name=a' } }, 'option stream.source is a string; give a list'],
    [{ stream: { source: [null] } }, 'option stream.source[0] is null; give'],
    [{ server: { mdnsEnabled: 1 } }, 'option server.mdnsEnabled is a number; give a boolean'],
    [{ server: { datadir: null } }, 'option server.datadir is null; give any text'],
    [{ http: { docRoot: {} } }, 'option http.docRoot is an object; give'],
    [{ logging: { sink: null } }, 'option logging.sink is null; give stdout'],
  ])('refuses %j, as no compiler does in plain JavaScript', (options, why) => {
    const create = () => createServer(options as ServerOptions);
    expect(create).toThrow(ConfigError);
    expect(create).toThrow(why);
  });

  it('takes what is undefined for left out', async () => {
    const unsaid = { ...loopback, stream: { buffer: undefined }, ssl: undefined };
    const server = await listening(unsaid as unknown as ServerOptions);
    expect(server.streams).toEqual([]);
  });

  it('saves clients and groups in the folder that it is given', async () => {
    const datadir = makeScratchFolder();
    onTestFinished(() => removeScratchFolder(datadir));
    const options = { ...loopback, server: { mdnsEnabled: false, datadir } };
    const server = await listening(options);
    await player(server, 'a').then((client) => client.untilCount(messageType.serverSettings, 1));
    await server.request('Client.SetName', { id: 'a', name: 'Kitchen' });
    await server.close();
    const [group] = JSON.parse(readFileSync(join(datadir, 'server.json'), 'utf8')).Groups;
    expect(group.clients).toMatchObject([{ connected: false, config: { name: 'Kitchen' } }]);
    await server.listen();
    expect(server.clients).toMatchObject([{ id: 'a', name: 'Kitchen', isConnected: false }]);
  });

  it('tells its logger which values were fixed', async () => {
    const log = new LogLines();
    const server = createServer({ ...loopback, stream: { buffer: 1, chunkMs: 10 } }, log);
    servers.push(server);
    await server.listen();
    expect(log.with('1 is too small')).toHaveLength(1);
  });

  it('refuses streams whose name is taken and calls before it listens', async () => {
    const server = createServer(loopback);
    await expect(server.addStream('tone:///?name=a')).rejects.toThrow('call listen() first');
    await expect(server.request('Server.GetStatus')).rejects.toThrow('call listen() first');
    servers.push(server);
    await server.listen();
    await server.addStream('tone:///?name=a');
    await expect(server.addStream({ name: 'a', input: counting() })).rejects.toThrow(SourceError);
    await expect(server.listen()).rejects.toThrow('listening already');
  });
});

describe('opening and closing', () => {
  it('opens once, however often it is asked for at one time', async () => {
    const server = createServer(loopback);
    servers.push(server);
    const outcomes = await Promise.allSettled([server.listen(), server.listen()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('ends what is just being opened', async () => {
    const server = createServer(loopback);
    const opening = server.listen();
    await server.close();
    await opening;
    expect(server.ports.streaming).toBe(0);
    await expect(server.addStream('tone:///?name=a')).rejects.toThrow('call listen() first');
  });

  it('may be called twice, and in any order', async () => {
    const server = createServer({ ...loopback, tcpControl: { enabled: false } });
    servers.push(server);
    await server.close();
    await server.listen();
    const { streaming } = server.ports;
    await player(server, 'a').then((client) => client.untilCount(messageType.serverSettings, 1));
    const closing = [server.close(), server.close()];
    const reopening = server.listen();
    await Promise.all([...closing, reopening]);
    expect(server.ports.streaming).toBeGreaterThan(0);
    await server.close();
    await server.close();
    await expect(ScriptedClient.greet(streaming, 'b')).rejects.toThrow('ECONNREFUSED');
  });

  it('may be tried again when a port was taken', async () => {
    const first = await listening();
    const options = { ...loopback, tcpControl: { port: first.ports.control } };
    const second = createServer(options);
    servers.push(second);
    await expect(second.listen()).rejects.toThrow(ConfigError);
    expect(second.ports.streaming).toBe(0);
    await first.close();
    await second.listen();
    expect(second.ports.control).toBe(options.tcpControl.port);
  });

  it('writes a log again when it listens again', async () => {
    const folder = makeScratchFolder();
    onTestFinished(() => removeScratchFolder(folder));
    const file = join(folder, 'log');
    const server = createServer({ ...loopback, logging: { sink: `file:${file}` } });
    servers.push(server);
    expect(existsSync(file)).toBe(false);
    await server.listen();
    await server.close();
    await server.listen();
    await server.close();
    expect(readFileSync(file, 'utf8')).toContain('listening for clients');
  });

  it('keeps two servers of one program apart', async () => {
    const [one, two] = [await listening(), await listening()];
    await one.addStream('tone:///?name=own');
    await two.addStream('tone:///?name=own');
    await one.close();
    const client = await player(two, 'a');
    await client.untilCount(messageType.wireChunk, 5);
    expect(two.streams).toMatchObject([{ id: 'own', state: 'playing' }]);
  });
});

describe('a listener that throws', () => {
  it('breaks neither streams nor requests nor other listeners', async () => {
    const server = await listening();
    const thrown: string[] = [];
    const own = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error.message));
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException');
      for (const listener of own) process.on('uncaughtException', listener);
    });
    const told: string[] = [];
    for (const name of ['streamAdded', 'streamChanged', 'clientChanged'] as const) {
      server.on(name, () => {
        throw new Error(`${name}: a fault of the program`);
      });
      server.on(name, () => told.push(name));
    }
    await server.addStream('tone:///?name=a');
    const input = Readable.from(counting(5));
    await server.addStream({ name: 'b', sampleFormat: '48000:16:2', input });
    await until(() => told.includes('streamChanged'));
    await player(server, 'p').then((client) => client.untilCount(messageType.serverSettings, 1));
    await server.request('Client.SetVolume', { id: 'p', volume: { percent: 30 } });
    await turn();
    expect(server.streams.map(({ id, state }) => [id, state])).not.toContainEqual([
      'b',
      'disabled',
    ]);
    expect(new Set(told)).toEqual(new Set(['streamAdded', 'streamChanged', 'clientChanged']));
    expect(thrown).toHaveLength(told.length);
  });
});
