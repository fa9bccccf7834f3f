import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeCodecHeader, decodeWireChunk } from '../../src/protocol/messages.ts';
import { canWrite, FifoWriter, openDescriptors, scratchFolder } from '../support/fifo.ts';
import { numberedBytes, wavFile } from '../support/pcm-fixtures.ts';
import { distancesUs } from '../support/reader-rig.ts';
import { ScriptedClient } from '../support/scripted-client.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const chunkUs = 20_000;

let folder: ReturnType<typeof scratchFolder>;
let server: TestServer;
let descriptors: number;
const clients: ScriptedClient[] = [];

beforeEach(() => {
  folder = scratchFolder();
  descriptors = openDescriptors();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
  folder.remove();
  await until(() => openDescriptors() <= descriptors);
  expect(openDescriptors()).toBeLessThanOrEqual(descriptors);
});

const sources = (...addresses: string[]) => addresses.map((address) => `stream.source=${address}`);

async function greet(id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(server.port, id);
  clients.push(client);
  return client;
}

const chunksOf = (client: ScriptedClient) => client.chunks.map(({ body }) => decodeWireChunk(body));

async function headerOf(client: ScriptedClient): Promise<{ codec: string; payload: Uint8Array }> {
  const [header] = await client.untilCount(messageType.codecHeader, 1);
  if (!header) throw new Error('no header came');
  return decodeCodecHeader(header.body);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('streams beside one that cannot be used', () => {
  it('play, and the log has one clear line for each fault', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as net.AddressInfo;
    server = await TestServer.start(
      ...sources(
        'pipe:/tmp/fifo?name=NoSlashes',
        'tone:///?codec=pcm',
        'ffmpeg:///?name=NoScheme',
        'tone:///?name=NoCodec&codec=mp3',
        'tone:///?name=Good&codec=pcm',
        'tone:///?name=Good&freq=880',
        'file:///does/not/exist?name=NoFile',
        'tone:///?name=NoFormat&sampleformat=48000:17:2',
        `tcp://127.0.0.1:${port}?name=NoPort`,
      ),
    );
    await until(() => server.log.with('choose another port').length > 0);
    const client = await greet('a');
    await client.untilCount(messageType.wireChunk, 3);
    const faults = server.log.lines.filter(({ level }) => level === 'error');
    expect(faults.map(({ phrase, fields }) => [phrase, fields.stream ?? ''])).toEqual([
      ['stream left out', ''],
      ['stream left out', ''],
      ['stream disabled', 'NoScheme'],
      ['stream disabled', 'NoCodec'],
      ['stream left out', ''],
      ['stream disabled', 'NoFile'],
      ['stream left out', ''],
      ['stream disabled', 'NoPort'],
    ]);
    const reasons = faults.map(({ fields }) => String(fields.reason));
    for (const [index, part] of [
      "missing host separator: '//'",
      'lacks a name',
      'Unknown stream type: ffmpeg',
      '"mp3" is no codec',
      'Stream with name "Good" already exists',
      '/does/not/exist',
      '48000:17:2',
      `127.0.0.1:${port}`,
    ].entries()) {
      expect(reasons[index]).toContain(part);
    }
    taken.close();
    await once(taken, 'close');
  });
});

describe('streams whose numbers only the original takes', () => {
  it('are all there, and a warning names each value that is used', async () => {
    server = await TestServer.start(
      ...sources(
        'tone:///?name=idle0&idle_threshold=0',
        'tone:///?name=idlems&idle_threshold=100ms',
        'tone:///?name=chunk0&chunk_ms=0',
        'tone:///?name=chunkms&chunk_ms=20ms',
        'tone:///?name=comma&silence_threshold_percent=0,5',
        'tone:///?name=typo&chunkms=20',
      ),
    );
    const { channels } = server.application.streams;
    expect([...channels.values()].map(({ stream }) => stream.state)).not.toContain('disabled');
    expect([...channels.keys()]).toEqual(['idle0', 'idlems', 'chunk0', 'chunkms', 'comma', 'typo']);
    const warned = server.log.lines.filter(({ level }) => level === 'warn');
    expect(
      warned.map(({ fields }) => [fields.stream, String(fields.reason).split(':')[0]]),
    ).toEqual([
      ['idle0', 'idle_threshold=0 is taken as 10'],
      ['idlems', 'idle_threshold=100ms is taken as 100'],
      ['chunk0', 'chunk_ms=0 is taken as 20'],
      ['chunkms', 'chunk_ms=20ms is taken as 20'],
      ['comma', 'silence_threshold_percent=0,5 is taken as 0.5'],
      ['typo', 'the parameter "chunkms" has no effect'],
    ]);
    const { streams } = server.application;
    const { warnings } = await streams.reconfigure(['tone:///?name=typo&chunkms=20']);
    expect(warnings).toEqual([
      'stream "typo": the parameter "chunkms" has no effect: chunk_ms may be meant',
    ]);
  });
});

describe('a stream that breaks while clients play it', () => {
  const bytesPerChunk = 20 * 192;

  it('gives them to the first one that can be played, header first', async () => {
    const fifo = join(folder.path, 'fifo');
    server = await TestServer.start(
      ...sources(
        'tone:///?name=Mute&codec=null',
        `pipe://${fifo}?name=Broken&codec=flac`,
        'tone:///?name=Whole&codec=pcm',
      ),
    );
    const players = [await greet('a'), await greet('b')];
    const writer = await until(() => canWrite(fifo)).then(() => new FifoWriter(fifo));
    writer.write(numberedBytes(192 * 200));
    for (const player of players) await player.untilCount(messageType.wireChunk, 5);
    breakFifo(fifo);
    writer.close();
    await until(() => server.log.with('stream disabled').length > 0);
    for (const player of [...players, await greet('c')]) {
      await player.until(() => isPlaying(player, 'pcm'), 'the other stream');
      const { received } = player;
      const from = received.findLastIndex(({ type }) => type === messageType.codecHeader);
      await player.until(() => received.length > from + 20, 'more of it');
      for (const { type, body } of received.slice(from + 1)) {
        expect(type).toBe(messageType.wireChunk);
        expect(decodeWireChunk(body).payload.length).toBe(bytesPerChunk);
      }
    }
    expect(players.map((player) => player.of(messageType.codecHeader).length)).toEqual([2, 2]);
    expect(server.log.with('stream disabled')).toHaveLength(1);
    const moves = server.log.with('client moved to another stream');
    expect(moves.map(({ fields }) => fields)).toEqual([
      { client: 'a', from: 'Broken', to: 'Whole' },
      { client: 'b', from: 'Broken', to: 'Whole' },
    ]);
  });

  it('leaves them waiting when there is no other one', async () => {
    const fifo = join(folder.path, 'fifo');
    server = await TestServer.start(...sources(`pipe://${fifo}?name=Broken&codec=pcm`));
    const player = await greet('a');
    await headerOf(player);
    await until(() => canWrite(fifo));
    const writer = new FifoWriter(fifo);
    breakFifo(fifo);
    writer.close();
    await until(() => server.log.with('stream disabled').length > 0);
    player.requestTime(7);
    await player.untilCount(messageType.time, 1);
    expect(server.log.with('client moved')).toEqual([]);
    expect(player.isClosed).toBe(false);
  });
});

function isPlaying(client: ScriptedClient, codec: string): boolean {
  const header = client.of(messageType.codecHeader).at(-1);
  return header !== undefined && decodeCodecHeader(header.body).codec === codec;
}

/** Puts a file into the place of a fifo: its stream cannot go on once the writer has gone. */
function breakFifo(path: string): void {
  renameSync(path, `${path}.old`);
  writeFileSync(path, 'no fifo');
}

describe('the time of audio', () => {
  it.each([
    ['codec=pcm', 20_000],
    ['codec=pcm&chunk_ms=10', 10_000],
    ['codec=pcm&chunk_ms=50', 50_000],
    ['codec=flac', 24_000],
    ['codec=opus', 20_000],
  ])('advances with %s by exactly %i µs per chunk', async (parameters, us) => {
    server = await TestServer.start(...sources(`tone:///?name=T&${parameters}`));
    const client = await greet('a');
    await client.untilCount(messageType.wireChunk, 30);
    for (const distance of distancesUs(chunksOf(client))) {
      expect(Math.abs(distance - us)).toBeLessThanOrEqual(1); // whole microseconds on the wire
    }
  });

  it('goes on over a short pause of the writer of a fifo, and anew after a long one', async () => {
    const fifo = join(folder.path, 'fifo');
    server = await TestServer.start(...sources(`pipe://${fifo}?name=F&codec=pcm`));
    const client = await greet('a');
    await headerOf(client);
    const writer = await until(() => canWrite(fifo)).then(() => new FifoWriter(fifo));
    const second = numberedBytes(192_000);
    const play = async (fromMs: number, toMs: number) => {
      writer.write(second.subarray(fromMs * 192, toMs * 192));
      await client.until(() => chunksOf(client).length >= toMs / 20, `${toMs} ms of audio`);
    };
    await play(0, 200);
    await pause(30);
    await play(200, 400);
    expect(new Set(distancesUs(chunksOf(client)))).toEqual(new Set([chunkUs]));
    await pause(600);
    await play(400, 600);
    writer.close();
    const distances = distancesUs(chunksOf(client));
    const jumps = distances.filter((distance) => Math.abs(distance - chunkUs) > 1);
    expect(jumps).toHaveLength(1);
    expect(jumps[0]).toBeGreaterThan(400_000);
    const audio = Buffer.concat(chunksOf(client).map(({ payload }) => Buffer.from(payload)));
    expect(audio).toEqual(second.subarray(0, 600 * 192));
    expect(server.log.with('"late":"source"').length).toBeGreaterThanOrEqual(1);
  });
});

describe('the first listener', () => {
  it('gets the recent past at once, and then what follows it', async () => {
    server = await TestServer.start(...sources('tone:///?name=T&codec=flac'));
    await pause(1200);
    const client = await greet('a');
    await client.untilCount(messageType.wireChunk, 30);
    const arrivals = client.chunks.map(({ receivedUs }) => receivedUs);
    expect((arrivals[29] ?? 0) - (arrivals[0] ?? 0)).toBeLessThan(300_000);
    await client.untilCount(messageType.wireChunk, 60);
    for (const distance of distancesUs(chunksOf(client))) {
      expect(Math.abs(distance - 24_000)).toBeLessThanOrEqual(1);
    }
  });

  it('finds no gap when it comes 300 ms after another one left', async () => {
    server = await TestServer.start(...sources('tone:///?name=T&codec=flac'));
    const first = await greet('a');
    await first.untilCount(messageType.wireChunk, 20);
    first.close();
    await server.untilSessions(0);
    await pause(300);
    const second = await greet('b');
    await second.untilCount(messageType.wireChunk, 60);
    const times = chunksOf(second).map(({ timestampUs }) => timestampUs);
    const heard = chunksOf(first).map(({ timestampUs }) => timestampUs);
    expect(times[0]).toBeLessThan(heard.at(-1) ?? 0);
    // Both heard parts of one sequence.
    expect(times.filter((time) => heard.includes(time)).length).toBeGreaterThan(5);
    for (const distance of distancesUs(chunksOf(second))) {
      expect(Math.abs(distance - 24_000)).toBeLessThanOrEqual(1);
    }
  });

  it('gets nothing stale from a stream that paused long ago', async () => {
    const fifo = join(folder.path, 'fifo');
    server = await TestServer.start(
      ...sources(`pipe://${fifo}?name=F&codec=flac`),
      'stream.buffer=400',
    );
    await until(() => canWrite(fifo));
    const first = await greet('a');
    const writer = new FifoWriter(fifo);
    writer.write(numberedBytes(192 * 250));
    await first.untilCount(messageType.wireChunk, 8);
    first.close();
    await server.untilSessions(0);
    await pause(1000);
    const second = await greet('b');
    await headerOf(second);
    await pause(100);
    expect(second.chunks).toEqual([]);
    writer.write(numberedBytes(192 * 250));
    await second.untilCount(messageType.wireChunk, 8);
    writer.close();
    const times = chunksOf(second).map(({ timestampUs }) => timestampUs);
    expect(times[0]).toBeGreaterThan((chunksOf(first).at(-1)?.timestampUs ?? 0) + 900_000);
    expect(Math.max(...distancesUs(chunksOf(second)))).toBeLessThanOrEqual(24_001);
  });
});

describe('the format of a stream', () => {
  it('is that of the header of a WAV file', async () => {
    const path = join(folder.path, 'x.wav');
    writeFileSync(path, wavFile(numberedBytes(44_100), { rateHz: 44_100, bits: 24, channels: 1 }));
    server = await TestServer.start(...sources(`file://${path}?name=W&codec=pcm`));
    const client = await greet('a');
    const header = Buffer.from((await headerOf(client)).payload);
    expect([22, 34].map((offset) => header.readUInt16LE(offset))).toEqual([1, 24]);
    expect(header.readUInt32LE(24)).toBe(44_100);
    await client.untilCount(messageType.wireChunk, 3);
    expect(chunksOf(client)[0]?.payload.length).toBe(882 * 4);
  });
});

describe('a server that stops', () => {
  it.each([0, 30, 300])('leaves nothing behind after %i ms of everything', async (ms) => {
    const fifo = join(folder.path, 'fifo');
    const file = join(folder.path, 'raw');
    writeFileSync(file, numberedBytes(192_000));
    server = await TestServer.start(
      ...sources(
        'tone:///?name=T&codec=flac',
        `pipe://${fifo}?name=P&codec=opus`,
        `file://${file}?name=F&codec=opus`,
        'tcp://127.0.0.1:0?name=S&codec=pcm',
        'tcp://127.0.0.1:1?name=C&codec=pcm&mode=client',
        'process:///bin/cat?name=X&codec=flac&params=/dev/zero',
      ),
    );
    for (const id of ['a', 'b', 'c']) await greet(id);
    await pause(ms);
  });
});
