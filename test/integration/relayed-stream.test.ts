import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Chunk } from '../../src/audio/chunk.ts';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { noEncodeFigures } from '../../src/audio/encoding.ts';
import type { Stream, StreamState } from '../../src/audio/stream.ts';
import { parseStreamOptions } from '../../src/audio/stream-options.ts';
import { openAccess } from '../../src/auth/access.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import type { PlayerServer } from '../../src/players/player-server.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeCodecHeader, decodeWireChunk } from '../../src/protocol/messages.ts';
import { StreamChannel } from '../../src/streams/stream-channel.ts';
import { Broadcast } from '../../src/transport/broadcast.ts';
import { Listener, socketServers } from '../../src/transport/listener.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import { TcpLink } from '../../src/transport/tcp-link.ts';
import { LogLines } from '../support/log-lines.ts';
import { streamDefaults } from '../support/reader-rig.ts';
import { type Received, ScriptedClient } from '../support/scripted-client.ts';
import { serverParts } from '../support/server-parts.ts';
import { TestServer } from '../support/test-server.ts';
import { until } from '../support/waiting.ts';

const startUs = () => monotonicClock.nowUs() - 500_000;

/** A stream of nothing but the sealed chunks of another server, whose player it is. */
class RelayedStream implements Stream {
  readonly id = 'Relayed';
  readonly options = parseStreamOptions('snap://127.0.0.1?name=Relayed', streamDefaults);
  readonly format = streamDefaults.format;
  readonly fault = undefined;
  readonly encodeFigures = noEncodeFigures;
  readonly driftPpm = 0;
  readonly backlogMs = undefined;
  codec = '';
  header: Uint8Array | undefined;
  state: StreamState = 'idle';
  isActive = false;
  readonly #pool: ChunkPool;
  readonly #port: number;
  readonly #onChunk: (chunk: Chunk) => void;
  #origin: ScriptedClient | undefined;
  #relayed = 0;

  constructor(pool: ChunkPool, port: number, onChunk: (chunk: Chunk) => void) {
    this.#pool = pool;
    this.#port = port;
    this.#onChunk = onChunk;
  }

  async start(): Promise<void> {
    const origin = await ScriptedClient.greet(this.#port, 'relay');
    this.#origin = origin;
    const [header] = await origin.untilCount(messageType.codecHeader, 1);
    const { codec, payload } = decodeCodecHeader(header!.body);
    this.codec = codec;
    this.header = payload;
    this.state = 'playing';
    origin.socket.on('data', () => this.#relay(origin.chunks));
  }

  async stop(): Promise<void> {
    this.#origin?.close();
  }

  activate(): void {
    this.isActive = true;
  }

  deactivate(): void {
    this.isActive = false;
  }

  #relay(received: readonly Received[]): void {
    for (const { body } of received.slice(this.#relayed)) {
      const { timestampUs, payload } = decodeWireChunk(body);
      const chunk = this.#pool.acquire(payload.length, 'relay');
      chunk.payloadBytes = payload.length;
      payload.copy(chunk.writable);
      chunk.seal({ timestampUs, durationUs: 20_000 });
      this.#onChunk(chunk);
    }
    this.#relayed = received.length;
  }
}

let origin: TestServer;
let pool: ChunkPool;
let stream: RelayedStream;
let channel: StreamChannel;
let fanOut: NodeFanOut;
let server: PlayerServer;
let listener: Listener;
let clients: ScriptedClient[];

beforeEach(() => {
  clients = [];
});

/** Streams of one codec, at an origin and relayed by a server of players behind it. */
async function open(codec: string): Promise<void> {
  origin = await TestServer.start(`stream.source=tone:///?name=Tone&codec=${codec}`);
  const logger = new LogLines();
  pool = new ChunkPool({ verifySeals: true });
  fanOut = new NodeFanOut(pool);
  const sending = { bufferMs: 1000, sendIntervalMs: 'auto', burstBytes: 2 ** 20 } as const;
  const broadcast = new Broadcast(fanOut, monotonicClock, { ...sending, instantStart: true });
  stream = new RelayedStream(pool, origin.port, (chunk) => broadcast.publish(chunk));
  channel = new StreamChannel(stream, broadcast);
  await channel.start();
  const streams = { channels: new Map([[channel.id, channel]]), default: channel };
  const parts = { pool, logger, fanOut, access: openAccess, server: { streams } };
  ({ server } = serverParts({ ...parts, onChange: () => undefined }));
  listener = await Listener.open({
    addresses: ['127.0.0.1'],
    port: 0,
    setting: 'tcp-streaming',
    logger,
    createServer: socketServers((socket) => server.accept(new TcpLink(socket))),
  });
}

async function join(port: number, id: string): Promise<ScriptedClient> {
  const client = await ScriptedClient.greet(port, id);
  clients.push(client);
  await client.untilCount(messageType.wireChunk, 1);
  return client;
}

afterEach(async () => {
  for (const client of clients) client.close();
  await listener.close();
  await server.close();
  await channel.stop();
  await fanOut.close();
  await origin.stop();
  expect(pool.isFull).toBe(true);
  pool.close();
});

/** Messages by their timestamps, headers included. */
function byTime(client: ScriptedClient): ReadonlyMap<number, string> {
  return new Map(
    client.chunks.map(({ body, sentUs }) => [
      decodeWireChunk(body).timestampUs,
      `${sentUs} ${body.toString('base64')}`,
    ]),
  );
}

describe.each(['pcm', 'flac', 'opus'])('a stream of sealed chunks of %s', (codec) => {
  it('is played by sessions, byte for byte what players of the origin get', async () => {
    await open(codec);
    expect(stream.isActive).toBe(false);
    const relayed = await join(listener.port, 'a');
    const direct = await join(origin.port, 'b');
    expect(stream.isActive).toBe(true);
    const [header] = relayed.of(messageType.codecHeader);
    expect(header?.body).toEqual(direct.of(messageType.codecHeader)[0]?.body);
    await relayed.untilCount(messageType.wireChunk, 60);
    await direct.until(() => direct.chunks.length >= relayed.chunks.length, 'as many');
    const [there, here] = [byTime(direct), byTime(relayed)];
    const times = [...here.keys()];
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const common = times.filter((time) => there.has(time));
    expect(common.length).toBeGreaterThan(40);
    for (const time of common) expect(here.get(time)).toBe(there.get(time));
    const between = [...there.keys()].filter(
      (time) => time >= common[0]! && time <= common.at(-1)!,
    );
    expect(common).toEqual(between);
    relayed.close();
    await until(() => !stream.isActive, 'the last listener has gone');
  });
});

describe('an output that is no player', () => {
  let http: Server | undefined;

  afterEach(() => {
    http?.closeAllConnections();
    http?.close();
  });

  it('takes every chunk once at its own pace, and counts as a listener', async () => {
    await open('pcm');
    let lostChunks = 0;
    let taken = 0;
    const output = createServer((_, response) => {
      const write = () => {
        for (let chunk = reader.take(); chunk; chunk = reader.take()) {
          taken += 1;
          const held = chunk;
          const isTaken = response.write(held.tcpMessage, () => held.release());
          lostChunks = reader.lostChunks;
          if (isTaken) continue;
          response.once('drain', write);
          return;
        }
      };
      const reader = channel.openReader(startUs(), write);
      response.on('close', () => channel.closeReader(reader));
      write();
    });
    http = output;
    output.listen(0, '127.0.0.1');
    await once(output, 'listening');
    const player = await join(listener.port, 'a');
    player.close();
    await until(() => !stream.isActive, 'the player has gone');
    const request = get({ port: (output.address() as AddressInfo).port });
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    expect(stream.isActive).toBe(true);
    const direct = await join(origin.port, 'b');
    let body = Buffer.alloc(0);
    response.on('data', (data: Buffer) => {
      body = Buffer.concat([body, data]);
    });
    await until(() => taken > 60, 'a second is sent');
    await direct.until(() => direct.chunks.length > 60, 'as much');
    await until(() => body.length > 60 * 3840, 'it has arrived');
    expect(lostChunks).toBe(0);
    const first = direct.chunks[10]!.body;
    const last = direct.chunks[40]!.body;
    const [from, to] = [body.indexOf(first), body.indexOf(last)];
    expect(from).toBeGreaterThan(0);
    const bodies = direct.chunks.slice(10, 40).map((chunk) => chunk.body);
    // A base header in front of each.
    expect(to - from).toBe(bodies.reduce((sum, { length }) => sum + length + 26, 0));
    let at = from;
    for (const part of bodies) {
      expect(body.indexOf(part, at - 1)).toBe(at);
      at += part.length + 26;
    }
    request.destroy();
    await until(() => !stream.isActive, 'the output has gone');
  });

  it('is told by how much it was too slow', async () => {
    await open('pcm');
    const { ring } = channel.broadcast;
    const first = ring.head;
    const reader = channel.openReader(Number.POSITIVE_INFINITY, () => undefined);
    await until(() => ring.tail > first + 10, 'the ring has dropped some');
    const numbers: number[] = [];
    for (let chunk = reader.take(); chunk; chunk = reader.take()) {
      numbers.push(chunk.timestampUs);
      chunk.release();
    }
    expect(reader.lostChunks).toBeGreaterThan(10);
    expect(numbers.length + reader.lostChunks).toBe(ring.head - first);
    channel.closeReader(reader);
    expect(stream.isActive).toBe(false);
  });
});
