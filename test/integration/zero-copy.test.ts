import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import type { SendStatistics } from '../../src/transport/send-statistics.ts';
import { openDescriptors } from '../support/fifo.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { expectUnbroken } from '../support/stream-checks.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const tone = 'stream.source=tone:///?name=Tone&codec=pcm';
/** Clients and server share one thread here, which must not look like a late source. */
const patience = ['stream.buffer=2000', 'stream.resync_tolerance=1500'];
const always = [
  'stream.zerocopy=true',
  'stream.zerocopy_min_bytes=1',
  'stream.zerocopy_mode=always',
];

let server: TestServer | undefined;

afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.stop();
  server = undefined;
});

async function start(...settings: string[]): Promise<TestServer> {
  server = await TestServer.start(tone, ...patience, ...settings);
  return server;
}

function greetAll(port: number, count: number): Promise<ScriptedClient[]> {
  return Promise.all(
    Array.from({ length: count }, (_, index) => ScriptedClient.greet(port, `client ${index}`)),
  );
}

function statisticsOf({ application }: TestServer): SendStatistics[] {
  return [...application.server.sessions].map(({ path }) => path.takeStatistics());
}

describe('zero-copy sending', () => {
  it('plays without a gap, and says of each session what it is', async () => {
    const running = await start(...always);
    const clients = await greetAll(running.port, 20);
    for (const client of clients) await client.untilCount(messageType.wireChunk, 80);
    for (const client of clients) expectUnbroken(client);
    expect(running.log.with('ZeroCopy setting: enabled')).toHaveLength(1);
    const created = running.log.with('Creating zerocopy-enabled session for 127.0.0.1');
    expect(created).toHaveLength(20);
    for (const statistics of statisticsOf(running)) {
      expect(statistics.zeroCopySends).toBeGreaterThan(0);
      expect(statistics.zeroCopySends).toBe(statistics.zeroCopyAttempts);
      expect(statistics.zeroCopyBytes).toBeGreaterThan(statistics.regularBytes);
    }
    for (const client of clients) client.close();
  });

  it('gives up where the kernel copies after all, as it does on loopback', async () => {
    const running = await start('stream.zerocopy=true', 'stream.zerocopy_min_bytes=1000');
    const [client] = await greetAll(running.port, 1);
    await client?.untilCount(messageType.wireChunk, 200);
    const [statistics] = statisticsOf(running);
    expect(statistics?.zeroCopyCopied).toBeGreaterThanOrEqual(8);
    expect(statistics?.zeroCopyAttempts).toBeLessThanOrEqual(9);
    expect(statistics?.regularSends).toBeGreaterThan(0);
    client?.close();
  });

  it('is refused to small batches', async () => {
    const running = await start('stream.zerocopy=true', 'stream.zerocopy_min_bytes=10000000');
    const [client] = await greetAll(running.port, 1);
    await client?.untilCount(messageType.wireChunk, 60);
    expect(statisticsOf(running)[0]).toMatchObject({ zeroCopyAttempts: 0, outstanding: 0 });
    client?.close();
  });

  it('is replaced by regular sessions without the addon', async () => {
    vi.stubEnv('ZEROCAST_NATIVE', 'off');
    const running = await start(...always);
    const [client] = await greetAll(running.port, 1);
    await client?.untilCount(messageType.wireChunk, 60);
    expect(running.log.with('Creating regular TCP session for 127.0.0.1')).toHaveLength(1);
    expect(running.log.with('no native addon')).toHaveLength(1);
    expect(running.log.with("flac encoder is not the system's")).toMatchObject([
      { level: 'notice', fields: { reason: 'the addon that loads it is missing' } },
    ]);
    expect(statisticsOf(running)[0]).toMatchObject({ zeroCopyAttempts: 0 });
    client?.close();
  });
});

describe('a thousand clients that break off with chunks in flight', () => {
  it('leave no chunk and no descriptor behind, while somebody plays on', async () => {
    const { port, application } = await start(...always, 'stream.sampleformat=96000:32:2');
    const healthy = await ScriptedClient.greet(port, 'healthy');
    await healthy.untilCount(messageType.wireChunk, 10);
    const descriptors = openDescriptors();
    for (let wave = 0; wave < 5; wave += 1) {
      const victims = await greetAll(port, 200);
      // Half of them read nothing, so that what was sent to them is never acknowledged.
      for (const [index, { socket }] of victims.entries()) if (index % 2 === 0) socket.pause();
      for (const victim of victims) {
        if (!victim.socket.isPaused()) await victim.untilCount(messageType.wireChunk, 5);
      }
      for (const { socket } of victims) socket.resetAndDestroy();
      await until(() => application.server.sessionCount === 1);
      expect(application.server.sessionCount).toBe(1);
    }
    await until(() => openDescriptors() === descriptors);
    expect(openDescriptors()).toBe(descriptors);
    const played = healthy.chunks.length;
    await healthy.untilCount(messageType.wireChunk, played + 20);
    healthy.close();
  });
});

describe('the end of the server with chunks in flight', () => {
  it('frees what stalled clients never acknowledge, and they see the end', async () => {
    const running = await start(...always, 'stream.sampleformat=96000:32:2');
    const clients = await greetAll(running.port, 20);
    for (const { socket } of clients) socket.pause();
    await until(() => statisticsOf(running).every(({ outstanding }) => outstanding > 0));
    expect(statisticsOf(running).every(({ outstanding }) => outstanding > 0)).toBe(true);
    await running.stop();
    server = undefined;
    for (const { socket } of clients) socket.resume();
    for (const client of clients) await client.untilClosed();
  });
});

describe('an idle server with zero-copy and connected clients', () => {
  it('does nothing: no completion is left that wakes it up', async () => {
    // A stream with one sound at its start, then nothing.
    server = await TestServer.start(
      'stream.source=process:///bin/sh?name=Once&codec=pcm&params=-c "head -c 768000 /dev/zero; sleep 60"&send_silence=true',
      ...always,
    );
    const { port } = server;
    const clients = await greetAll(port, 50);
    for (const client of clients) await client.untilCount(messageType.wireChunk, 60);
    await until(() => server !== undefined && clients.every((client) => !client.isClosed));
    await delay(5000);
    const before = process.cpuUsage();
    await delay(2000);
    const { user, system } = process.cpuUsage(before);
    // An undrained completion costs a whole core; the test and its clients live here, too.
    expect(user + system).toBeLessThan(0.15 * 2_000_000);
    for (const client of clients) client.close();
  });
});
