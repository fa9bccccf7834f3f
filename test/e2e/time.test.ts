import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import { arrivalsOf, heardUntil, jumpsIn } from '../support/arrivals.ts';
import { scratchFolder } from '../support/fifo.ts';
import { LiveProducer } from '../support/live-producer.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { freePort, ServerProcess } from '../support/server-process.ts';
import { Snapclient, snapclientIsMissing } from '../support/snapclient.ts';
import { until } from '../support/waiting.ts';

const chunkUs = 20_000;
const bufferUs = 2_000_000;
const usPerSecond = 1_000_000;
const suspendedMs = 5000;
const format = SampleFormat.parse('48000:16:2');
/** A machine with too much to do shall not be taken for one that was suspended. */
const patient = ['--stream.buffer=2000', '--stream.resync_tolerance=1500'];

interface Setup {
  readonly source: string;
  readonly options?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

async function startServer({ source, options = [], environment = {} }: Setup) {
  const server = await ServerProcess.start({
    sources: [`${source}&codec=pcm&sampleformat=48000:16:2&chunk_ms=20`],
    options: [...patient, ...options],
    environment,
  });
  onTestFinished(() => server.kill());
  return server;
}

async function startClient({ streamPort }: ServerProcess): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(streamPort, 'scripted');
  onTestFinished(() => client.close());
  return client;
}

/** Environment that loads a file of `test/support/preloads` before the server. */
function preload(name: string, settings: Readonly<Record<string, string>>) {
  const url = new URL(`../support/preloads/${name}`, import.meta.url);
  return { ...settings, NODE_OPTIONS: `--import=${fileURLToPath(url)}` };
}

async function suspend(server: ServerProcess): Promise<void> {
  server.signal('SIGSTOP');
  await sleep(suspendedMs);
  server.signal('SIGCONT');
}

function linesWith(server: ServerProcess, text: string): string[] {
  return server.log.text.split('\n').filter((line) => line.includes(text));
}

/** Plays `source` through a suspension of the server and looks at what came after it. */
async function playThrough(server: ServerProcess) {
  const client = await startClient(server);
  await heardUntil(client, monotonicClock.nowUs());
  await sleep(1000);
  await suspend(server);
  const resumedUs = monotonicClock.nowUs();
  await heardUntil(client, resumedUs + 2 * usPerSecond);
  expect(client.isClosed).toBe(false);
  const arrivals = arrivalsOf(client);
  expect(jumpsIn(arrivals, chunkUs).length).toBe(1);
  const fresh = arrivals.slice(jumpsIn(arrivals, chunkUs)[0]);
  // It goes on at once, and what comes can still be played.
  expect(fresh[0]!.timestampUs).toBeGreaterThan(resumedUs - chunkUs - usPerSecond / 10);
  for (const { atUs, timestampUs } of fresh) expect(timestampUs).toBeGreaterThan(atUs - bufferUs);
  expect(linesWith(server, 'resync, audio came too late').length).toBe(1);
  expect(linesWith(server, 'the process or machine was suspended').length).toBe(1);
  expect(linesWith(server, 'session closed client=scripted')).toEqual([]);
  return fresh;
}

describe('a server that is suspended for five seconds', () => {
  it('goes on with what it generates itself as if it had begun then', async () => {
    const server = await startServer({ source: 'tone:///?name=T' });
    await playThrough(server);
    expect(linesWith(server, 'old audio dropped')).toEqual([]);
    await server.stop();
  });

  it('drops what a live producer could not get rid of, into a pipe', async () => {
    const folder = scratchFolder();
    onTestFinished(() => folder.remove());
    const fifo = join(folder.path, 'fifo');
    const server = await startServer({ source: `pipe://${fifo}?name=P` });
    await server.log.waitFor(/stream started/);
    const producer = await LiveProducer.intoFifo(fifo);
    onTestFinished(() => producer.stop());
    const fresh = await playThrough(server);
    expect(linesWith(server, 'old audio dropped').length).toBe(1);
    const last = fresh.at(-1)!;
    expect(producer.ageUs(last.payload, last.timestampUs)).toBeLessThan(usPerSecond);
    producer.stop();
    await server.stop();
  });

  it('drops what a live producer has sent meanwhile, by TCP', async () => {
    const port = await freePort();
    const server = await startServer({ source: `tcp://127.0.0.1:${port}?name=N` });
    await server.log.waitFor(/waiting for a producer/);
    const producer = LiveProducer.intoTcp(port);
    onTestFinished(() => producer.stop());
    const fresh = await playThrough(server);
    expect(linesWith(server, 'old audio dropped').length).toBe(1);
    const last = fresh.at(-1)!;
    expect(producer.ageUs(last.payload, last.timestampUs)).toBeLessThan(usPerSecond);
    producer.stop();
    await server.stop();
  });

  it('keeps a program that a watchdog looks after', async () => {
    const script = encodeURIComponent('-c "while :; do echo well >&2; sleep 1; done"');
    const server = await startServer({
      source: `process:///bin/sh?name=W&wd_timeout=4&params=${script}`,
    });
    await server.log.waitFor(/stream started/);
    await sleep(1500);
    await suspend(server);
    await sleep(2000);
    expect(linesWith(server, 'program is silent')).toEqual([]);
    expect(linesWith(server, 'program ended')).toEqual([]);
    await server.stop();
  });

  it.skipIf(snapclientIsMissing)('is heard again by a real client', async () => {
    const server = await startServer({ source: 'tone:///?name=T' });
    const client = await Snapclient.start({ port: server.streamPort, hostId: 'real' });
    onTestFinished(() => client.kill());
    await client.heardSound();
    await suspend(server);
    await sleep(5000);
    const { pcm } = await client.stop(format);
    const lastSecond = pcm.subarray(-format.rateHz * format.frameBytes);
    expect(lastSecond.every((byte) => byte === 0)).toBe(false);
    await server.stop();
  });
});

describe('a server whose event loop stands still for half a second', () => {
  it('says so, and sets its time base anew once', async () => {
    const server = await startServer({
      source: 'tone:///?name=T',
      options: ['--stream.resync_tolerance=200'],
      environment: preload('block-loop.mjs', { BLOCK_MS: '500' }),
    });
    const client = await startClient(server);
    await heardUntil(client, monotonicClock.nowUs());
    const before = linesWith(server, 'resync, audio came too late').length;
    server.signal('SIGUSR2');
    await server.log.waitFor(/the event loop stood still/);
    const { timestampUs } = arrivalsOf(client).at(-1)!;
    await heardUntil(client, timestampUs + 2 * usPerSecond);
    const [line] = linesWith(server, 'the event loop stood still');
    expect(Number(/ ms=(\d+)/.exec(line ?? '')?.[1])).toBeGreaterThanOrEqual(250);
    expect(linesWith(server, 'late=server').length - before).toBe(1);
    expect(client.isClosed).toBe(false);
    await server.stop();
  });
});

describe('a server whose wall clock is set', () => {
  const hourMs = 3_600_000;
  const decadeMs = 3_652 * 24 * hourMs;

  it('plays on without a gap, keeps its clients, and saves them', async () => {
    const folder = scratchFolder();
    onTestFinished(() => folder.remove());
    const steps = [hourMs, -2 * hourMs, decadeMs, -2 * decadeMs];
    const server = await startServer({
      source: 'tone:///?name=T',
      options: [`--server.datadir=${folder.path}`],
      environment: preload('step-clock.mjs', { CLOCK_STEPS_MS: steps.join(',') }),
    });
    const client = await startClient(server);
    await heardUntil(client, monotonicClock.nowUs());
    for (const step of steps) {
      const fromUs = monotonicClock.nowUs();
      server.signal('SIGUSR2');
      await heardUntil(client, fromUs + 1.2 * usPerSecond);
      client.requestTime(step > 0 ? 1 : 2);
    }
    // The kinds of lines are limited, so the first one only.
    const [line = ''] = linesWith(server, 'the wall clock was set');
    const [, byMs] = /byMs=(\d+)/.exec(line) ?? [];
    expect(Math.round(Number(byMs) / hourMs)).toBe(1);
    expect(jumpsIn(arrivalsOf(client), chunkUs)).toEqual([]);
    expect(client.isClosed).toBe(false);
    expect(linesWith(server, 'suspended')).toEqual([]);
    const file = join(folder.path, 'server.json');
    await until(() => readFileSync(file, 'utf8').includes('"scripted"'), 'the client is saved');
    await server.stop();
  });
});
