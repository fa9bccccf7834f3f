import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maxListedSessions } from '../../src/figures/status-report.ts';
import { Log, type LogOptions } from '../../src/log/log.ts';
import { baseHeaderBytes, messageType } from '../../src/protocol/layout.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const tone = 'stream.source=tone:///?name=Tone&codec=pcm';
const intervalMs = 100;
/** Long enough for several reports. */
const someReportsMs = 5 * intervalMs;

let folder: string;
let server: TestServer;
let log: Log;
let clients: ScriptedClient[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-status-'));
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await server.stop();
  await log.close();
  rmSync(folder, { recursive: true });
});

async function start(options: Partial<LogOptions> = {}): Promise<void> {
  const sink = `file:${join(folder, 'log.txt')}`;
  log = new Log({ format: 'text', sink, filter: ['*:info'], ...options });
  server = await TestServer.startWith({ logger: log.logger, statusIntervalMs: intervalMs }, tone);
}

async function greet(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    clients.push(await ScriptedClient.greet(server.port, `client-${index}`));
  }
  for (const client of clients) await client.untilCount(messageType.wireChunk, 1);
}

function lines(): string[] {
  return readFileSync(join(folder, 'log.txt'), 'utf8').split('\n').slice(0, -1);
}

/** The rows under the tag `Stats`, of which each line must say when and how severe. */
function rows(): string[] {
  return lines()
    .filter((line) => line.includes('(Stats)'))
    .map((line) => {
      const [, row] =
        /^\d{4}-\d\d-\d\d \d\d-\d\d-\d\d\.\d{3} \[Info\] \(Stats\) (.*)$/.exec(line) ?? [];
      return row ?? `no row: ${line}`;
    });
}

const header = '=== Periodic ZeroCopy Status (every 30s) ===';
const lastRow = /^ {4}Cleanup Operations: \d+$/;

/** The reports that are complete by now, each with its rows. */
function reports(): string[][] {
  const found: string[][] = [];
  let current: string[] = [];
  for (const row of rows()) {
    if (row === header) current = [];
    current.push(row);
    if (lastRow.test(row)) found.push(current);
  }
  return found;
}

/** What all reports say under `label`, added up. */
function sumOf(label: string): number {
  const numbers = rows().map((row) => {
    const [, number] = new RegExp(`^ {4}${label}: (\\d+),?$`).exec(row) ?? [];
    return Number(number ?? 0);
  });
  return numbers.reduce((sum, number) => sum + number, 0);
}

interface StatusRecord {
  readonly tag: string;
  readonly msg: string;
  readonly sessions?: readonly Readonly<Record<string, unknown>>[];
  readonly pool: Readonly<Record<string, number>>;
}

function records(): StatusRecord[] {
  return lines()
    .map((line) => JSON.parse(line) as StatusRecord)
    .filter(({ tag }) => tag === 'Stats');
}

describe('the statistics in the log', () => {
  it('come again and again while a client is connected, and then no more', async () => {
    await start();
    await greet(1);
    await until(() => reports().length >= 3, 'three reports');
    const [report = []] = reports();
    const shape = report.map((row) => row.replace(/: [\d.-]+/, ': N'));
    expect(shape).toEqual([
      header,
      'Zerocopy Stats for session 127.0.0.1',
      '    ZC Attempts: N,',
      '    ZC Successful: N,',
      '    ZC Bytes: N,',
      '    ZC Copied by Kernel: N,',
      '    Regular Sends: N,',
      '    Regular Bytes: N,',
      '    Coordination Fallbacks: N,',
      '    Outstanding Operations: N,',
      '    ZC Success Rate: N%',
      '    Partial Sends: N,',
      '    EAGAINs: N,',
      '    ENOBUFS Fallbacks: N,',
      '    Skipped Stale Chunks: N,',
      '    Chunks per Send: N',
      '=== Buffer Pool Stats ===',
      '    Total Buffers: N',
      '    Available Buffers: N',
      '    Bytes Allocated: N',
      '    Buffers Created: N',
      '    Buffers Reused: N',
      '    Cleanup Operations: N',
    ]);
    clients[0]?.close();
    await server.untilSessions(0);
    const before = rows().length;
    await delay(someReportsMs);
    expect(rows()).toHaveLength(before);
  });

  it('begin anew with every report, so that all together are what was sent', async () => {
    await start();
    await greet(1);
    await until(() => reports().length >= 5, 'five reports');
    for (const channel of server.application.streams.channels.values()) await channel.stop();
    const [client] = clients;
    const stoppedAt = reports().length;
    await until(() => reports().length >= stoppedAt + 2, 'everything is counted');
    const counted = sumOf('Regular Bytes') + sumOf('ZC Bytes');
    const receivedBytes = () =>
      client?.chunks.reduce((sum, { body }) => sum + baseHeaderBytes + body.length, 0);
    await client?.until(() => (receivedBytes() ?? 0) >= counted, 'everything has arrived');
    expect(receivedBytes()).toBe(counted);
  });

  it('count only the buffers that were used since the last report', async () => {
    await start();
    await greet(1);
    await until(() => reports().length >= 6, 'six reports');
    const reused = sumOf('Buffers Reused');
    const { statistics } = server.application.pool;
    expect(reused).toBeGreaterThan(0);
    expect(reused).toBeLessThanOrEqual(statistics.reused);
  });

  it('leave out who has said no Hello', async () => {
    await start();
    const silent = await ScriptedClient.connect(server.port);
    await server.untilSessions(1);
    await delay(someReportsMs);
    expect(rows()).toEqual([]);
    await greet(1);
    await until(() => reports().length >= 2, 'two reports');
    for (const report of reports()) {
      expect(report.filter((row) => row.startsWith('Zerocopy Stats'))).toHaveLength(1);
    }
    await server.untilSessions(2);
    silent.close();
  });

  it('are one record when the log is JSON', async () => {
    await start({ format: 'json' });
    await greet(2);
    await until(() => records().some(({ sessions }) => sessions?.length === 2), 'a report of two');
    const record = records().find(({ sessions }) => sessions?.length === 2);
    expect(record).toMatchObject({
      level: 'info',
      msg: 'Periodic ZeroCopy Status (every 30s)',
      sessions: [
        { session: '127.0.0.1', client: 'client-0' },
        { session: '127.0.0.1', client: 'client-1' },
      ],
    });
    expect(record?.pool.totalBuffers).toBeGreaterThan(0);
  });

  it('are neither written nor taken when the filter suppresses them', async () => {
    await start({ filter: ['*:info,Stats:warn'] });
    await greet(1);
    const [session] = server.application.server.sessions;
    await delay(someReportsMs);
    const last = session?.path.takeStatistics();
    await clients[0]?.untilCount(messageType.wireChunk, (last?.chunks ?? 0) + 20);
    await delay(someReportsMs);
    const next = session?.path.takeStatistics();
    expect(rows()).toEqual([]);
    expect(last?.chunks).toBeGreaterThan(10);
    expect(next?.chunks).toBeGreaterThan(10);
  });

  it('are summed up for many clients', async () => {
    await start();
    await greet(maxListedSessions + 1);
    const title = `Zerocopy Stats for ${maxListedSessions + 1} sessions`;
    await until(() => reports().some((report) => report[1] === title), 'a summary');
    const report = reports().find(([, second]) => second === title) ?? [];
    expect(report).toContain('Worst five sessions:');
    expect(report.filter((row) => /^ {4}127\.0\.0\.1 "client-\d+" /.test(row))).toHaveLength(5);
    expect(report.some((row) => row.startsWith('Zerocopy Stats for session '))).toBe(false);
  });

  it('list many clients when the filter asks for details', async () => {
    await start({ filter: ['*:info,Stats:debug'] });
    await greet(maxListedSessions + 1);
    const isTitle = (row: string) => row === 'Zerocopy Stats for session 127.0.0.1';
    await until(
      () => reports().some((report) => report.filter(isTitle).length === maxListedSessions + 1),
      'a list of all',
    );
    expect(rows()).not.toContain('Worst five sessions:');
  });
});
