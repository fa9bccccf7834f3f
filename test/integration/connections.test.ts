import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import {
  decodeTimeLatencyUs,
  encodeHello,
  encodeTimeRequest,
  stampSent,
} from '../../src/protocol/messages.ts';
import { ControlClient } from '../support/control-client.ts';
import { openDescriptors } from '../support/fifo.ts';
import { helloOf, ScriptedClient } from '../support/scripted-client.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';
import { expectUnbroken, timestampsOf } from '../support/stream-checks.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

/** Clients and server share one thread here, or a busy machine, which must not look like a late source. */
const patience = ['stream.buffer=2000', 'stream.resync_tolerance=1500'];
const bufferUs = 2_000_000;

let server: TestServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function startTone(...settings: string[]): Promise<TestServer> {
  server = await TestServer.start('stream.source=tone:///?name=Tone&codec=pcm', ...settings);
  return server;
}

function greetAll(port: number, names: readonly string[]): Promise<ScriptedClient[]> {
  return Promise.all(names.map((name) => ScriptedClient.greet(port, name)));
}

function names(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}`);
}

describe('three hundred clients that join at once while twenty play', () => {
  it('start with the header and within the buffer, and nobody misses anything', async () => {
    const { port } = await startTone(...patience);
    const players = await greetAll(port, names(20, 'player'));
    for (const player of players) await player.untilCount(messageType.wireChunk, 40);
    const newestUs = Math.max(...players.flatMap(timestampsOf));
    const joiners = await greetAll(port, names(300, 'joiner'));
    for (const joiner of joiners) await joiner.untilCount(messageType.wireChunk, 60);
    for (const player of players) await player.untilCount(messageType.wireChunk, 100);

    for (const client of [...players, ...joiners]) expectUnbroken(client);
    for (const { received } of joiners) {
      expect(received.slice(0, 2).map(({ type }) => type)).toEqual([
        messageType.serverSettings,
        messageType.codecHeader,
      ]);
      expect(received.slice(2).every(({ type }) => type === messageType.wireChunk)).toBe(true);
    }
    for (const joiner of joiners) {
      expect(timestampsOf(joiner)[0]).toBeGreaterThan(newestUs - bufferUs);
    }
    for (const client of [...players, ...joiners]) client.close();
  });

  it('get bytes that are the same for all', async () => {
    const { port } = await startTone(...patience);
    const clients = await greetAll(port, names(10, 'client'));
    for (const client of clients) await client.untilCount(messageType.wireChunk, 80);
    const [model, ...others] = clients.map(chunksByTime);
    for (const other of others) {
      const common = [...other.keys()].filter((timeUs) => model?.has(timeUs));
      expect(common.length).toBeGreaterThan(40);
      for (const timeUs of common) expect(other.get(timeUs)).toBe(model?.get(timeUs));
    }
    for (const client of clients) client.close();
  });
});

/** All that was sent of each chunk, header fields included, by its timestamp. */
function chunksByTime(client: ScriptedClient): Map<number, string> {
  const times = timestampsOf(client);
  return new Map(
    client.chunks.map(({ body, sentUs, id, refersTo }, index) => [
      times[index] ?? 0,
      `${sentUs} ${id} ${refersTo} ${body.toString('base64')}`,
    ]),
  );
}

describe('two hundred clients that break off under load', () => {
  it('leave nothing behind: no memory, no descriptor, no work', async () => {
    const { port, application, log } = await startTone(
      ...patience,
      'stream.sampleformat=96000:32:2',
    );
    const healthy = await ScriptedClient.greet(port, 'healthy');
    await healthy.untilCount(messageType.wireChunk, 10);
    const descriptors = openDescriptors();
    const victims = await greetAll(port, names(200, 'victim'));
    // Half of them read nothing, so that writes are under way when they go.
    for (const [index, { socket }] of victims.entries()) if (index % 2 === 0) socket.pause();
    for (const victim of victims) {
      if (!victim.socket.isPaused()) await victim.untilCount(messageType.wireChunk, 20);
    }
    await delay(1000);
    for (const { socket } of victims) socket.resetAndDestroy();
    await until(() => application.server.sessionCount === 1);
    expect(application.server.sessionCount).toBe(1);
    await until(() => openDescriptors() === descriptors);
    expect(openDescriptors()).toBe(descriptors);
    await until(() => closedOf(log) === 200, 'all departures are logged');

    const before = process.cpuUsage();
    await delay(1000);
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(500_000);

    const seen = healthy.chunks.length;
    await healthy.untilCount(messageType.wireChunk, seen + 20);
    expectUnbroken(healthy);
    healthy.close();
  });

  it('may be gone before their connection is accepted', async () => {
    const { port, application, log } = await startTone(...patience);
    const healthy = await ScriptedClient.greet(port, 'healthy');
    await healthy.untilCount(messageType.wireChunk, 10);
    const clients = await Promise.all(names(200, 'hasty').map(() => ScriptedClient.connect(port)));
    for (const [index, client] of clients.entries()) {
      client.send(encodeHello(helloOf(`hasty ${index}`), 2));
      client.socket.resetAndDestroy();
    }
    await until(() => application.server.sessionCount === 1 && closedOf(log) === 200);
    expect(closedOf(log)).toBe(200);
    expectUnbroken(healthy);
    healthy.close();
  });
});

/** Those included that the log only counts, as they are many of one address. */
function closedOf(log: TestServer['log']): number {
  const counted = log.with('lines were left out').map(({ fields }) => Number(fields.closed ?? 0));
  return log.with('session closed').length + counted.reduce((sum, count) => sum + count, 0);
}

describe('a clock of a client', () => {
  it.each([
    [0, 0],
    [-1, 999_999],
    [2 ** 31 - 1, 999_999],
    [-(2 ** 31), 0],
    [-(2 ** 31), -(2 ** 31)],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ])('may show %i s and %i µs: the answer comes, modulo 32-bit seconds', async (sec, usec) => {
    const { port } = await startTone();
    const client = await ScriptedClient.connect(port);
    const request = encodeTimeRequest(9);
    stampSent(request, 0);
    request.writeInt32LE(sec, 6);
    request.writeInt32LE(usec, 10);
    client.send(request);
    const [reply] = await client.untilCount(messageType.time, 1);
    if (!reply) throw new Error('no reply');
    const expectedUs = reply.receivedUs;
    expect(expectedUs).toBeGreaterThan(0);
    const latencyUs = decodeTimeLatencyUs(reply.body);
    const serverUs = latencyUs + sec * 1e6 + usec;
    const wrapUs = 2 ** 32 * 1e6;
    const offUs = (((serverUs - reply.sentUs) % wrapUs) + wrapUs) % wrapUs;
    // The server's clock at the request is that at the reply, or a little before.
    expect((wrapUs - offUs) % wrapUs).toBeLessThan(1_000_000);
    client.close();
  });
});

describe('a server that runs out of descriptors', () => {
  it('keeps those who are connected, and takes others when there is room again', async () => {
    const few = await ServerProcess.start({
      sources: ['tone:///?name=Tone&codec=pcm'],
      options: patience.map((setting) => `--${setting}`),
    });
    onTestFinished(() => few.kill());
    execFileSync('prlimit', ['--pid', String(few.pid), '--nofile=60:60']);
    const port = few.streamPort;
    const players = await greetAll(port, names(10, 'player'));
    for (const player of players) await player.untilCount(messageType.wireChunk, 10);

    const crowd = await Promise.all(names(80, 'crowd').map((name) => attempt(port, name)));
    await delay(1000);
    for (const player of players) {
      const seen = player.chunks.length;
      await player.untilCount(messageType.wireChunk, seen + 20);
      expectUnbroken(player);
      expect(player.isClosed).toBe(false);
    }
    const isServed = (client?: ScriptedClient) => (client?.chunks.length ?? 0) > 0;
    // It did run out, as it looks at the limit once a second only; and nobody waits in vain.
    expect(crowd.filter(isServed).length).toBeLessThan(crowd.length);
    await until(() => crowd.every((client) => !client || client.isClosed || isServed(client)));

    for (const client of crowd) client?.close();
    await delay(500);
    const late = await ScriptedClient.greet(port, 'late');
    await late.untilCount(messageType.wireChunk, 10);
    for (const client of [late, ...players]) client.close();
    await few.stop();
    // The clients cannot be saved without a descriptor either, which is tried again.
    const faults = few.log.text.split('\n').filter((line) => /\[(Error|Fatal)\]/.test(line));
    expect(faults.filter((line) => !line.includes('server.json'))).toEqual([]);
  });
});

describe('a server with few descriptors', () => {
  it('refuses whom it cannot serve, and everything else goes on', async () => {
    const datadir = mkdtempSync(join(tmpdir(), 'zerocast-few-'));
    onTestFinished(() => rmSync(datadir, { recursive: true }));
    const controlPort = await freePort();
    const few = await ServerProcess.start({
      sources: ['tone:///?name=Tone&codec=pcm'],
      // Node opens many of the modules at one time.
      descriptors: 120,
      options: [
        `--server.datadir=${datadir}`,
        '--tcp-control.enabled=true',
        '--tcp-control.bind_to_address=127.0.0.1',
        `--tcp-control.port=${controlPort}`,
        ...patience.map((setting) => `--${setting}`),
        // All come from one address, which would get its share only.
        '--limits.max_connections_per_address=0',
      ],
    });
    onTestFinished(() => few.kill());
    await few.log.waitFor(/fewer players fit than max_players allows/);
    const port = few.streamPort;
    const healthy = await ScriptedClient.greet(port, 'healthy');
    const controller = await ControlClient.connect(controlPort);
    await healthy.untilCount(messageType.wireChunk, 10);

    const crowd = await Promise.all(names(200, 'crowd').map((name) => attempt(port, name)));
    await few.log.waitFor(/no descriptors to spare: new connections are refused/);
    await until(() => crowd.filter((client) => client && !client.isClosed).length < 60);
    const rename = { id: 'healthy', name: 'Kitchen' };
    const request = { id: 1, jsonrpc: '2.0', method: 'Client.SetName', params: rename };
    controller.send(`${JSON.stringify(request)}\r\n`);
    await controller.inbox.until((message) => message.id === 1, 'the client is renamed');
    const state = join(datadir, 'server.json');
    await until(() => existsSync(state) && readFileSync(state, 'utf8').includes('Kitchen'));
    const seen = healthy.chunks.length;
    await healthy.untilCount(messageType.wireChunk, seen + 50);
    // The reserve is not touched, but by a file that is being written.
    expect(openDescriptors(few.pid)).toBeLessThanOrEqual(110);

    for (const client of crowd) client?.close();
    await few.log.waitFor(/descriptors are free again|session closed/);
    let late: ScriptedClient | undefined;
    await untilAsync(async () => {
      late?.close();
      late = await attempt(port, 'late');
      return late !== undefined && (await isServed(late));
    });
    await few.log.waitFor(/descriptors are free again: new connections are accepted/);
    expectUnbroken(healthy);
    expect([healthy.isClosed, controller.isClosed]).toEqual([false, false]);
    for (const client of [late, healthy, controller]) client?.close();
    await few.stop();
    expect(few.log.text.split('\n').filter((line) => /\[(Error|Fatal)\]/.test(line))).toEqual([]);
    expect(few.log.text.match(/no descriptors to spare/g)).toHaveLength(1);
  });
});

async function untilAsync(condition: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error('nobody is let in again');
    await delay(100);
  }
}

async function isServed(client: ScriptedClient): Promise<boolean> {
  await client.until(() => client.isClosed || client.chunks.length > 5, 'served or refused');
  return !client.isClosed;
}

/** Greets unless the server refuses. */
async function attempt(port: number, name: string): Promise<ScriptedClient | undefined> {
  return ScriptedClient.greet(port, name).catch(() => undefined);
}
