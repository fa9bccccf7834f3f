import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { riffHeader } from '../../src/audio/encoders/pcm-encoder.ts';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { packageVersion } from '../../src/base/version.ts';
import { askControl } from '../../src/probe/control-question.ts';
import { type ProbeReport, runProbe } from '../../src/probe/probe.ts';
import { parseProbeOptions } from '../../src/probe/probe-options.ts';
import { messageType, writeTimeUs } from '../../src/protocol/layout.ts';
import { encodeCodecHeader, encodeServerSettings } from '../../src/protocol/messages.ts';
import { messageOf } from '../support/mutations.ts';
import { OutputLog } from '../support/output-log.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { accepts, freePort, mainFile } from '../support/server-process.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

/** Where this machine has one. */
const snapserver = (process.env.PATH ?? '')
  .split(':')
  .map((place) => join(place, 'snapserver'))
  .find((path) => existsSync(path));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerocast-probe-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

interface Result {
  readonly status: number;
  readonly text: string;
  /** The reports of `--json`. */
  readonly reports: ProbeReport[];
  readonly last: ProbeReport | undefined;
}

async function probe(port: number, args: string[] = [], isTerminal = false): Promise<Result> {
  let text = '';
  const write = (piece: string) => {
    text += piece;
  };
  const options = parseProbeOptions([`127.0.0.1:${port}`, '--seconds', '0.7', ...args]);
  const status = await runProbe(options, { write, isTerminal });
  const lines = args.includes('--json') ? text.trimEnd().split('\n') : [];
  const reports = lines.map((line) => JSON.parse(line) as ProbeReport);
  return { status, text, reports, last: reports.at(-1) };
}

async function startServer(...settings: string[]): Promise<TestServer> {
  const server = await TestServer.start(...settings);
  onTestFinished(() => server.stop());
  return server;
}

describe('what a probe leaves behind', () => {
  const tone = 'stream.source=tone:///?name=Tone&codec=pcm';
  const clientsOf = (server: TestServer) => [...server.application.registry.clients.keys()];
  const groupsOf = (server: TestServer) => [...server.application.registry.groups.keys()];

  it('is nothing, and two at once do not disturb each other', async () => {
    const server = await startServer(tone, 'tcp-control.enabled=false');
    const longer = probe(server.port, ['--json', '--seconds', '2.5']);
    await until(() => clientsOf(server).length === 1);
    const [own] = clientsOf(server);
    for (let count = 0; count < 2; count += 1) {
      const { status, last } = await probe(server.port, ['--json']);
      expect([status, last?.whole]).toEqual([0, true]);
      expect(clientsOf(server)).toEqual([own]);
    }
    expect((await longer).last).toMatchObject({ whole: true, reason: 'stopped' });
    await server.untilSessions(0);
    await until(() => clientsOf(server).length === 0);
    expect(groupsOf(server)).toEqual([]);
  });

  it('is nothing in the state file either, also when it is cut off', async () => {
    const server = await TestServer.startWith({ dataFolder: folder }, tone);
    const child = spawn(process.execPath, [mainFile, 'probe', `127.0.0.1:${server.port}`]);
    await until(() => clientsOf(server).length === 1);
    const player = await ScriptedClient.greet(server.port, 'kitchen');
    await player.untilCount(messageType.serverSettings, 1);
    const state = join(folder, 'server.json');
    await until(() => existsSync(state) && readFileSync(state, 'utf8').includes('kitchen'));
    expect(JSON.parse(readFileSync(state, 'utf8')).Groups).toHaveLength(1);
    child.kill('SIGKILL');
    await until(() => clientsOf(server).join() === 'kitchen');
    player.close();
    await server.stop();
  });

  it('is a client like any other when it was given an id', async () => {
    const server = await startServer(tone);
    await probe(server.port, ['--id', 'bath']);
    await server.untilSessions(0);
    expect(clientsOf(server)).toEqual(['bath']);
  });

  it('is whoever was known under its id before', async () => {
    const server = await startServer(tone);
    const { id } = parseProbeOptions([]);
    await probe(server.port, ['--id', id]);
    await probe(server.port);
    await server.untilSessions(0);
    expect(server.application.registry.clients.get(id)?.isConnected).toBe(false);
  });

  it.runIf(snapserver)('is nothing on the original server, and two at once hear it', async () => {
    const port = await freePort();
    const config = join(folder, 'snapserver.conf');
    const source = 'process:///bin/cat?name=P&codec=pcm&params=/dev/urandom';
    const lines = [
      ...['[server]', `datadir = ${folder}`, '[stream]', `port = ${port}`, `source = ${source}`],
      ...['[tcp]', `port = ${port + 1}`, '[http]', 'enabled = false', ''],
    ];
    writeFileSync(config, lines.join('\n'));
    const child = spawn(String(snapserver), ['-c', config], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    await expect.poll(() => accepts(port)).toBe(true);
    const both = [probe(port, ['--json']), probe(port, ['--json', '--seconds', '2'])];
    for (const one of both) {
      const { last } = await one;
      expect(last?.reason).toBe('stopped');
      expect(last?.chunks).toBeGreaterThan(5);
    }
    const method = 'Server.GetStatus';
    const question = { host: '127.0.0.1', port: port + 1, method, params: {}, timeoutMs: 5000 };
    expect(await askControl(question)).toContain('"groups":[]');
  });
});

describe('the probe of a real server', () => {
  it.each([
    ['pcm', '48000:16:2', '48000:16:2'],
    ['pcm', '96000:24:2', '96000:24:2'],
    ['flac', '48000:16:2', '48000:16:2'],
    ['flac', '44100:16:2', '44100:16:2'],
    ['opus', '44100:16:2', '48000:16:2'],
  ])('finds %s of %s whole', async (codec, format, heardFormat) => {
    const server = await startServer(
      `stream.source=tone:///?name=Tone&codec=${codec}&sampleformat=${format}`,
      'stream.buffer=800',
      // Of a machine with much else to do the probe shall say nothing.
      'stream.resync_tolerance=5000',
    );
    const { status, last } = await probe(server.port, ['--json']);
    expect(last).toMatchObject({
      done: true,
      whole: true,
      codec,
      format: heardFormat,
      bufferMs: 800,
      gaps: 0,
      missingMs: 0,
      duplicates: 0,
      decodeErrors: 0,
      reason: 'stopped',
    });
    expect(last?.chunks).toBeGreaterThan(10);
    expect(last?.payloadBytes).toBeGreaterThan(1000);
    expect(status).toBe(0);
  });

  it('measures with the clock of the server', async () => {
    const server = await startServer('stream.source=tone:///?name=Tone&codec=pcm');
    const { last } = await probe(server.port, ['--json']);
    // Both clocks are one here, and what a client gets is younger than the buffer.
    expect(Math.abs(last?.offsetMs ?? 1e9)).toBeLessThan(100);
    expect(last?.roundTripMs).toBeGreaterThan(0);
    expect(last?.firstChunkMs).toBeGreaterThanOrEqual(0);
    expect(last?.ageMs).toBeGreaterThan(0);
    expect(last?.ageMs).toBeLessThan(1000);
    expect(last?.maxAgeMs).toBeGreaterThanOrEqual(last?.ageMs ?? 0);
  });

  it('says Hello as itself', async () => {
    const server = await startServer('stream.source=tone:///?name=Tone&codec=pcm');
    await probe(server.port, ['--id', 'my probe']);
    const [line] = server.log.with('Hello from my probe');
    expect(line?.fields.program).toBe(`Zerocast probe ${packageVersion}`);
  });

  it('writes a line per second and a verdict in words', async () => {
    const server = await startServer('stream.source=tone:///?name=Tone&codec=pcm');
    const { text } = await probe(server.port, ['--seconds', '1.4']);
    const [first, second, verdict] = text.trimEnd().split('\n');
    for (const line of [first, second]) expect(line).toMatch(/^pcm 48000:16:2 {2}chunks \d+ /);
    expect(verdict).toBe('the stream was whole (stopped)');
  });

  it('rewrites its line on a terminal', async () => {
    const server = await startServer('stream.source=tone:///?name=Tone&codec=pcm');
    const { text } = await probe(server.port, ['--seconds', '1.4'], true);
    expect(text.split('\r\u001b[K')).toHaveLength(3);
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

  it('says so when there is no stream to play', async () => {
    const server = await startServer('stream.source=file:///does/not/exist?name=x');
    const { status, text } = await probe(server.port);
    expect(status).toBe(1);
    expect(text).toContain('no audio arrived (stopped)');
  });

  it('records pcm bit by bit', async () => {
    const file = join(folder, 'counter.raw');
    writeFileSync(file, counter(4 * 48_000));
    const server = await startServer(
      `stream.source=file://${file}?name=File&codec=pcm&sampleformat=48000:16:2`,
    );
    const wav = join(folder, 'out.wav');
    const { status } = await probe(server.port, ['--wav', wav, '--seconds', '1.2']);
    expect(status).toBe(0);
    const recorded = readFileSync(wav);
    expect(recorded.subarray(0, 4).toString()).toBe('RIFF');
    const data = recorded.subarray(44);
    expect(data.length).toBe(recorded.readUInt32LE(40));
    expect(data.length).toBeGreaterThan(48_000 * 4);
    const first = data.readUInt32LE(0);
    expect(data.equals(counter(data.length / 4, first))).toBe(true);
  });
});

/** Stereo frames of 16 bit that are numbered, so that each is unlike all others. */
function counter(frames: number, first = 0): Buffer {
  const pcm = Buffer.alloc(frames * 4);
  for (let frame = 0; frame < frames; frame += 1) pcm.writeUInt32LE(first + frame, frame * 4);
  return pcm;
}

const format = SampleFormat.parse('8000:16:1');
const chunkFrames = 160;
const chunkUs = 20_000;

function chunkPcm(number: number): Buffer {
  return Buffer.alloc(chunkFrames * 2, number + 1);
}

function chunkMessage(number: number, pcm = chunkPcm(number)): Buffer {
  const head = Buffer.alloc(12);
  writeTimeUs(head, 0, 5_000_000_000 + number * chunkUs);
  head.writeUInt32LE(pcm.length, 8);
  return messageOf(messageType.wireChunk, Buffer.concat([head, pcm]));
}

const settings = encodeServerSettings(
  { bufferMs: 1000, latencyMs: 0, muted: false, volume: 100 },
  2,
);
const header = encodeCodecHeader('pcm', riffHeader(format));

/** A server that says what a test tells it to whoever connects. */
async function pretend(...messages: readonly (Buffer | ((socket: Socket) => void))[]) {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.resume();
    for (const message of messages) {
      if (typeof message === 'function') message(socket);
      else socket.write(message);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

const chunks = (...numbers: number[]) => numbers.map((number) => chunkMessage(number));

describe('the probe of a server with faults', () => {
  it('finds a stream without faults whole, also if nobody tells the time', async () => {
    const port = await pretend(settings, header, ...chunks(0, 1, 2, 3));
    const { status, last } = await probe(port, ['--json']);
    expect(last).toMatchObject({ whole: true, chunks: 4, ageMs: null, maxAgeMs: null });
    expect(status).toBe(0);
  });

  it('does not find a stream whole of which nothing but the codec came', async () => {
    const port = await pretend(settings, header);
    const { status, last } = await probe(port, ['--json']);
    expect(last).toMatchObject({ whole: false, codec: 'pcm', chunks: 0, reason: 'stopped' });
    expect(status).toBe(1);
  });

  it('finds a gap, and records silence in its place', async () => {
    const port = await pretend(settings, header, ...chunks(0, 1, 4, 5));
    const wav = join(folder, 'out.wav');
    const { status, last } = await probe(port, ['--json', '--wav', wav]);
    expect(status).toBe(1);
    expect(last).toMatchObject({ whole: false, gaps: 1, missingMs: 40, duplicates: 0, chunks: 4 });
    const silence = Buffer.alloc(chunkFrames * 2 * 2);
    const expected = [chunkPcm(0), chunkPcm(1), silence, chunkPcm(4), chunkPcm(5)];
    expect(readFileSync(wav).subarray(44).equals(Buffer.concat(expected))).toBe(true);
  });

  it('finds a duplicate, and records it once', async () => {
    const port = await pretend(settings, header, ...chunks(0, 1, 1, 2));
    const wav = join(folder, 'out.wav');
    const { status, last } = await probe(port, ['--json', '--wav', wav]);
    expect(status).toBe(1);
    expect(last).toMatchObject({ whole: false, gaps: 0, duplicates: 1 });
    const expected = Buffer.concat([chunkPcm(0), chunkPcm(1), chunkPcm(2)]);
    expect(readFileSync(wav).subarray(44).equals(expected)).toBe(true);
  });

  it('finds what cannot be decoded', async () => {
    const odd = chunkMessage(1, Buffer.alloc(7));
    const port = await pretend(settings, header, ...chunks(0), odd, ...chunks(2));
    const { status, last } = await probe(port, ['--json']);
    expect(status).toBe(1);
    expect(last).toMatchObject({ whole: false, decodeErrors: 1 });
  });

  it.each([
    ['a codec that nobody knows', encodeCodecHeader('mp9', Buffer.alloc(4)), /cannot decode "mp9"/],
    ['a damaged codec header', encodeCodecHeader('flac', Buffer.from('garbage')), /./],
    ['a message that ends early', messageOf(messageType.wireChunk, Buffer.alloc(3)), /Wire Chunk/],
    ['a type that does not exist', messageOf(99, Buffer.alloc(1)), /message type 99/],
    ['settings that are no JSON', messageOf(3, Buffer.from('\x01\0\0\0{')), /not JSON/],
  ])('ends with the reason after %s', async (_, message, reason) => {
    const port = await pretend(settings, message, ...chunks(0, 1));
    const { status, last } = await probe(port, ['--json', '--seconds', '20']);
    expect(status).toBe(1);
    expect(last).toMatchObject({ done: true, whole: false });
    expect(last?.reason).toMatch(reason);
    expect(last?.reason).not.toBe('stopped');
  });

  it.each([
    ['closes', (socket: Socket) => void socket.end(), /the server closed the connection/],
    [
      'breaks off',
      (socket: Socket) => void setTimeout(() => socket.resetAndDestroy(), 200),
      /RESET/,
    ],
  ])('does not call a stream whole that the server %s', async (_, end, reason) => {
    const port = await pretend(settings, header, ...chunks(0, 1, 2), end);
    const { status, last } = await probe(port, ['--json', '--seconds', '20']);
    expect(status).toBe(1);
    expect(last).toMatchObject({ whole: false, chunks: 3, gaps: 0 });
    expect(last?.reason).toMatch(reason);
  });

  it('starts over after a new codec header', async () => {
    const port = await pretend(settings, header, ...chunks(0, 1), header, ...chunks(50, 51));
    const { status, last } = await probe(port, ['--json']);
    expect(last).toMatchObject({ whole: true, chunks: 4, gaps: 0 });
    expect(status).toBe(0);
  });

  it('ends the recording when the format changes', async () => {
    const other = encodeCodecHeader('pcm', riffHeader(SampleFormat.parse('8000:16:2')));
    const late = (socket: Socket) =>
      void setTimeout(() => socket.write(Buffer.concat([other, ...chunks(2)])), 300);
    const port = await pretend(settings, header, ...chunks(0, 1), late);
    const wav = join(folder, 'out.wav');
    const { status, last } = await probe(port, ['--json', '--wav', wav, '--seconds', '20']);
    expect(status).toBe(1);
    expect(last?.reason).toContain('changed from 8000:16:1 to 8000:16:2');
    expect(readFileSync(wav)).toHaveLength(44 + 2 * chunkFrames * 2);
  });

  it('says when the recording cannot be written', async () => {
    const port = await pretend(settings, header, ...chunks(0, 1));
    const wav = join(folder, 'no', 'out.wav');
    const { status, last } = await probe(port, ['--json', '--wav', wav, '--seconds', '20']);
    expect(status).toBe(1);
    expect(last?.reason).toContain(`cannot write ${wav}`);
  });
});

describe('the probe of no server', () => {
  it('ends with 2 when nobody listens', async () => {
    const { status, last } = await probe(await freePort(), ['--json']);
    expect(status).toBe(2);
    expect(last).toMatchObject({ done: true, whole: false, chunks: 0, bufferMs: null, codec: '' });
    expect(last?.reason).toContain('ECONNREFUSED');
  });

  it('ends with 2 when somebody listens who says nothing', async () => {
    const { status, last } = await probe(await pretend(), ['--json']);
    expect(status).toBe(2);
    expect(last?.reason).toBe('stopped');
  });

  it('ends with 2 when somebody listens who says something else', async () => {
    const port = await pretend(
      Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
    );
    const { status, last } = await probe(port, ['--json', '--seconds', '20']);
    expect(status).toBe(2);
    expect(last?.reason).toContain('broke the protocol');
  });
});

describe('zerocast probe', () => {
  const run = (...args: string[]) => spawn(process.execPath, [mainFile, 'probe', ...args]);

  async function statusOf(child: ReturnType<typeof run>): Promise<unknown> {
    onTestFinished(() => void child.kill('SIGKILL'));
    const [status, signal] = await once(child, 'close');
    return signal ?? status;
  }

  it('listens until it is interrupted, and then says how it was', async () => {
    const port = await pretend(settings, header, ...chunks(0, 1, 2));
    const child = run(`127.0.0.1:${port}`, '--json');
    const log = new OutputLog('the probe', child);
    await log.waitFor(/"chunks":3.*\n.*"chunks":3/s);
    child.kill('SIGINT');
    expect(await statusOf(child)).toBe(0);
    expect(log.text).toContain('"done":true,"whole":true');
  });

  it('ends quietly when nobody reads its output any more', async () => {
    const port = await pretend(settings, header, ...chunks(0, 1, 2));
    const child = run(`127.0.0.1:${port}`, '--json');
    let complaint = '';
    child.stderr.on('data', (text: Buffer) => {
      complaint += text;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await statusOf(child)).toBe(0);
    expect(complaint).toBe('');
  });

  it('ends with 2 and the usage for wrong use', async () => {
    const child = run('one', 'two');
    const log = new OutputLog('the probe', child);
    expect(await statusOf(child)).toBe(2);
    expect(log.text).toContain('usage: zerocast probe');
  });

  it('explains itself', () => {
    const text = execFileSync(process.execPath, [mainFile, 'probe', '--help'], {
      encoding: 'utf8',
    });
    expect(text).toContain('exit status: 0 the stream was whole');
  });
});
