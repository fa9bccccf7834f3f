import { afterEach, describe, expect, it } from 'vitest';
import type { ChunkPool } from '../../src/audio/chunk-pool.ts';
import type { ChunkRing } from '../../src/audio/chunk-ring.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import type { LoopShare } from '../../src/base/time/loop-share.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeCodecHeader, decodeWireChunk } from '../../src/protocol/messages.ts';
import type { AudioPath } from '../../src/transport/audio-path.ts';
import type { Connection } from '../../src/transport/connection.ts';
import type { Cursor } from '../../src/transport/cursor.ts';
import type { FanOut } from '../../src/transport/fan-out.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import { nativeFanOut } from '../support/native.ts';
import { codecsOf, PlayerRig, type PlayerRigOptions } from '../support/player-rig.ts';
import type { ScriptedClient } from '../support/scripted-client.ts';
import { until } from '../support/waiting.ts';

let rig: PlayerRig;

afterEach(async () => {
  expect(await rig.close(), 'the pool is full').toBe(true);
});

async function start(sources: readonly string[], options?: PlayerRigOptions): Promise<void> {
  rig = await PlayerRig.open(sources, options);
}

/** No chunk of one of these streams could be taken for one of another. */
const sources = [
  'tone:///?name=0&codec=pcm&sampleformat=48000:16:2',
  'tone:///?name=1&codec=flac&sampleformat=48000:16:2',
  'tone:///?name=2&codec=pcm&sampleformat=8000:16:1',
  'tone:///?name=3&codec=flac&sampleformat=96000:24:2',
  'tone:///?name=4&codec=flac&sampleformat=8000:16:1',
  'tone:///?name=large&codec=pcm&sampleformat=192000:32:8',
];
const fanOuts: readonly (readonly [string, (pool: ChunkPool) => FanOut])[] = [
  ['native', (pool) => nativeFanOut(pool)],
  ['native with zero-copy', (pool) => nativeFanOut(pool, { minBytes: 1, mode: 'always' })],
  ['JavaScript', (pool) => new NodeFanOut(pool)],
];

describe.each(fanOuts)('no chunk of the old stream follows the new header, %s', (_, fanOut) => {
  it('while many change all the time', async () => {
    await start(sources, { fanOut });
    const ids = ['a', 'b', 'c', 'd'];
    const clients: ScriptedClient[] = [];
    for (const id of ids) clients.push(await rig.playing(id));
    for (let round = 0; round < 50; round += 1) {
      for (const [index, id] of ids.entries()) {
        rig.groups.setStream(rig.group(id), `${(round + index + 1) % 5}`);
      }
      await pause(round % 15);
    }
    for (const client of clients) {
      await goesOn(client);
      checkOrder(client);
      expect(codecsOf(client)).toHaveLength(51);
    }
  });

  it('when a message of the old one is on its way to a client that does not read', async () => {
    await start(sources, { fanOut });
    const client = await rig.playing('a');
    const { connection } = rig.session('a');
    for (const next of ['0', '3']) {
      rig.groups.setStream(rig.group('a'), 'large');
      client.socket.pause();
      await until(() => connection.busySinceUs !== undefined, 'a message waits');
      rig.groups.setStream(rig.group('a'), next);
      await pause(50);
      expect(connection.busySinceUs).toBeDefined();
      client.socket.resume();
      await goesOn(client);
    }
    checkOrder(client);
    expect(codecsOf(client)).toEqual(['pcm', 'pcm', 'pcm', 'pcm', 'flac']);
  });
});

/** Sends to one session per turn of the event loop, with room in between for others to act. */
class SlowFanOut implements FanOut {
  readonly wantedSendBytes = 0;
  readonly #fanOut: FanOut;
  readonly #onPause: () => void;

  constructor(pool: ChunkPool, onPause: () => void) {
    this.#fanOut = new NodeFanOut(pool);
    this.#onPause = onPause;
  }

  attach(connection: Connection): AudioPath {
    return this.#fanOut.attach(connection);
  }

  deliver(ring: ChunkRing, cursors: readonly Cursor[], share: LoopShare): boolean {
    const [first, ...others] = cursors.filter(({ quota }) => quota > 0);
    if (first) this.#fanOut.deliver(ring, [first], share);
    if (others.length > 0) setImmediate(this.#onPause);
    return others.length === 0;
  }

  async close(): Promise<void> {}
}

it('no chunk of the old stream follows the new header when a delivery is half done', async () => {
  const ids = ['a', 'b', 'c', 'd'];
  let changes = 0;
  const onPause = () => {
    if (clients.length < ids.length || changes === 40) return;
    changes += 1;
    for (const id of ids) rig.groups.setStream(rig.group(id), `${changes % 5}`);
  };
  const clients: ScriptedClient[] = [];
  await start(sources, { fanOut: (pool) => new SlowFanOut(pool, onPause) });
  for (const id of ids) clients.push(await rig.playing(id));
  await until(() => changes === 40);
  for (const client of clients) {
    await goesOn(client);
    checkOrder(client);
    expect(codecsOf(client)).toHaveLength(41);
  }
});

describe.each(['pcm', 'flac'])('a client that is unmuted, %s', (codec) => {
  const times = (client: ScriptedClient) =>
    client.chunks.map(({ body }) => decodeWireChunk(body).timestampUs);

  it('has all of the audio in between when that can still be played', async () => {
    await start([`tone:///?name=Tone&codec=${codec}&sampleformat=48000:16:2`]);
    const client = await rig.playing('a');
    for (let round = 0; round < 5; round += 1) {
      rig.groups.setMute(rig.group('a'), true);
      await pause(100);
      rig.groups.setMute(rig.group('a'), false);
      await goesOn(client);
    }
    const distances = times(client).flatMap((time, index, all) => time - (all[index - 1] ?? 0));
    expect(distances.slice(1).every((us) => us > 0)).toBe(true);
    // Chunks of 20 ms, or 24 ms of FLAC.
    expect(Math.max(...distances.slice(1))).toBeLessThan(25_000);
    expect(codecsOf(client)).toEqual([codec]);
  });

  it('begins with the past that can still be played after a long time', async () => {
    await start([`tone:///?name=Tone&codec=${codec}`]);
    const client = await rig.playing('a');
    rig.groups.setVolume(rig.client('a'), { muted: true });
    await pause(1200);
    const count = client.chunks.length;
    const nowUs = monotonicClock.nowUs();
    rig.groups.setVolume(rig.client('a'), { muted: false });
    await client.untilCount(messageType.wireChunk, count + 1);
    expect(nowUs - (times(client)[count] ?? nowUs)).toBeGreaterThan(500_000);
  });
});

/** Resolves when the client plays what comes after all that waited for it. */
async function goesOn(client: ScriptedClient): Promise<void> {
  client.requestTime(9);
  await client.untilCount(messageType.time, client.of(messageType.time).length + 1);
  await client.untilCount(messageType.wireChunk, client.chunks.length + 20);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Each chunk has the shape of the stream whose header came last. */
function checkOrder(client: ScriptedClient): void {
  let fits = (_: Buffer) => false;
  let previous = '';
  for (const { type, body } of client.received) {
    if (type === messageType.codecHeader) {
      const { codec, payload } = decodeCodecHeader(body);
      expect(body.toString('hex'), 'an identical header came again').not.toBe(previous);
      previous = body.toString('hex');
      fits = codec === 'pcm' ? pcmShape(payload) : flacShape(payload);
    } else if (type === messageType.wireChunk) {
      const { payload } = decodeWireChunk(body);
      expect(fits(payload), `a chunk that begins with ${payload.toString('hex', 0, 8)}`).toBe(true);
    }
  }
}

/** Chunks of 20 ms, as the RIFF header says. */
function pcmShape(header: Buffer): (payload: Buffer) => boolean {
  const bytesPerSecond = header.readUInt32LE(28);
  return ({ length }) => length === bytesPerSecond / 50;
}

/** FLAC frames that name the rate and width of the stream. Source: RFC 9639, 9.1. */
function flacShape(header: Buffer): (payload: Buffer) => boolean {
  const rateHz = header.readUIntBE(18, 3) >> 4;
  const codes = new Map([
    [8000, 4],
    [48000, 10],
    [96000, 11],
  ]);
  return (payload) =>
    payload.readUInt16BE(0) >> 2 === 0x3ffe && rateCode(payload) === codes.get(rateHz);
}

const rateCode = (payload: Buffer) => payload.readUInt8(2) & 15;
