import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { parseStreamOptions } from '../../../src/audio/stream-options.ts';
import { Broadcast } from '../../../src/transport/broadcast.ts';
import type { Cursor } from '../../../src/transport/cursor.ts';
import { NodeFanOut } from '../../../src/transport/node-fan-out.ts';
import { longestGroupMs, unplayable } from '../../../src/transport/playability.ts';
import { LogLines } from '../../support/log-lines.ts';
import { pacedReader, streamDefaults } from '../../support/reader-rig.ts';
import { type Peer, SocketPairs } from '../../support/socket-pairs.ts';
import { producerFormat, VirtualProducer } from '../../support/virtual-producer.ts';
import { VirtualTime } from '../../support/virtual-time.ts';

const usPerSecond = 1_000_000;
const pipeBytes = 65_536;

interface Scene {
  readonly chunkMs: number;
  readonly bufferMs: number;
  readonly sendIntervalMs: number | 'auto';
  readonly ppm?: number;
  readonly writeBytes: number;
  readonly capacityBytes: number;
  readonly seenBytes?: number;
  readonly seconds: number;
  /** When each player joins and leaves. */
  readonly stays: readonly (readonly [joinMs: number, leaveMs: number])[];
}

const usual: Scene = {
  chunkMs: 20,
  bufferMs: 1000,
  sendIntervalMs: 'auto',
  writeBytes: 960,
  capacityBytes: pipeBytes,
  seconds: 6,
  stays: [[0, 6000]],
};

interface Send {
  readonly atUs: number;
  readonly first: number;
  readonly chunks: number;
  /** Of its oldest audio. */
  readonly ageUs: number;
  readonly isAll: boolean;
}

interface Heard {
  /** What each player got, in order. */
  readonly sends: readonly (readonly Send[])[];
  readonly lostChunks: readonly number[];
  readonly wakeUps: number;
  /** Calls of the fan-out. */
  readonly deliveries: number;
  readonly intervalMs: number;
  readonly log: LogLines;
}

let peers: Peer[];
let pairs: SocketPairs;
const fanOutPool = new ChunkPool();

beforeAll(async () => {
  pairs = await SocketPairs.open(new NodeFanOut(fanOutPool));
  peers = await pairs.joinAll(5);
});

afterAll(() => {
  pairs.close();
  fanOutPool.close();
});

function groupMsOf({ chunkMs, bufferMs, sendIntervalMs }: Scene): number {
  return longestGroupMs({ ageMs: chunkMs, durationMs: chunkMs }, { bufferMs, sendIntervalMs });
}

/** Plays a producer to players, from its reader to the fan-out, which sends all it is told to. */
async function play(scene: Scene): Promise<Heard> {
  const { chunkMs, bufferMs, sendIntervalMs, seconds, stays } = scene;
  const time = new VirtualTime();
  const pool = new ChunkPool({ verifySeals: true });
  const log = new LogLines();
  const sends = new Map<Cursor, Send[]>();
  let deliveries = 0;
  const fanOut = new NodeFanOut(pool);
  fanOut.deliver = (ring, due) => {
    deliveries += 1;
    for (const cursor of due) {
      const { sequence: first, quota } = cursor;
      const chunks = Math.min(quota, ring.head - first);
      if (chunks > 0) {
        const atUs = time.nowUs();
        const ageUs = atUs - ring.at(first).timestampUs;
        sends
          .get(cursor)
          ?.push({ atUs, first, chunks, ageUs, isAll: first + chunks === ring.head });
      }
      cursor.sequence += chunks;
      cursor.quota = 0;
    }
    return true;
  };
  const broadcast = new Broadcast(fanOut, time, {
    bufferMs,
    sendIntervalMs,
    instantStart: true,
    burstBytes: 4 * 1024 * 1024,
  });
  const options = parseStreamOptions('pipe:///x?name=V', { ...streamDefaults, chunkMs, bufferMs });
  const durationUs = producerFormat.durationUs(producerFormat.framesIn(chunkMs));
  const groupMs = groupMsOf(scene);
  const reader = pacedReader(new VirtualProducer(time, scene), options, {
    pool,
    clock: time,
    logger: log,
    groupMs: () => groupMs,
    onPcm: ({ chunk, timestampUs }) => {
      chunk.seal({ timestampUs, durationUs });
      broadcast.publish(chunk);
    },
    onRunEnd: () => undefined,
    onOutdated: () => broadcast.clear(),
    onActivity: () => undefined,
    onFailure: (error) => {
      throw error;
    },
  });
  const before = peers.map(({ path }) => path.counters.lostChunks);
  let stopped: Promise<void> | undefined;
  time.during(() => {
    for (const [index, [joinMs, leaveMs]] of stays.entries()) {
      time.after(joinMs * 1000, () => {
        const { path } = peers[index] as Peer;
        const cursor = broadcast.subscribe(path);
        sends.set(cursor, []);
        time.after((leaveMs - joinMs) * 1000, () => broadcast.unsubscribe(cursor));
      });
    }
    reader.start();
    time.pass(seconds * usPerSecond);
    stopped = reader.stop();
    broadcast.close();
  });
  await stopped;
  expect(pool.isFull).toBe(true);
  pool.close();
  return {
    sends: [...sends.values()],
    lostChunks: peers.map(({ path }, index) => path.counters.lostChunks - (before[index] ?? 0)),
    wakeUps: time.wakeUps,
    deliveries,
    intervalMs: sendIntervalMs === 'auto' ? Math.min(200, bufferMs / 5) : sendIntervalMs,
    log,
  };
}

/** What was sent after a player had got all of the past. */
function steady(sends: readonly Send[]): readonly Send[] {
  const joined = sends.findIndex(({ isAll }) => isAll);
  return joined < 0 ? [] : sends.slice(joined + 1);
}

describe('audio in groups of chunks', () => {
  it('wakes a server up six times a second, where each chunk would do so fifty times', async () => {
    const grouped = await play({ ...usual, capacityBytes: 4 * pipeBytes });
    const single = await play({ ...usual, sendIntervalMs: 0 });
    expect(single.wakeUps / usual.seconds).toBeGreaterThan(48);
    // A pause between two groups is no end of the stream.
    expect(grouped.wakeUps / usual.seconds).toBeLessThan(6);
    expect(grouped.wakeUps / usual.seconds).toBeGreaterThan(4);
    expect(grouped.deliveries / usual.seconds).toBeLessThan(7);
  });

  it('puts reading off for a third at most of what the kernel keeps', async () => {
    const { wakeUps, sends } = await play(usual);
    // 64 KiB are 341 ms, of which 100 ms are five chunks, in turn with four.
    expect(wakeUps / usual.seconds).toBeLessThan(12);
    expect(wakeUps / usual.seconds).toBeGreaterThan(10);
    expect(steady(sends[0] ?? []).length / usual.seconds).toBeLessThan(6.2);
    const small = await play({ ...usual, capacityBytes: 8192 });
    expect(small.wakeUps / usual.seconds).toBeGreaterThan(48);
  });

  it('makes room for larger groups where the producer is not held back', async () => {
    const seconds = 60;
    const scene = { ...usual, seconds, stays: [[0, seconds * 1000]] } as const;
    const heldBack = await play(scene);
    expect(heldBack.wakeUps / seconds).toBeGreaterThan(10);
    const live = await play({ ...scene, ppm: 0 });
    const liveWithoutMore = await play({ ...scene, ppm: 0, seenBytes: pipeBytes });
    expect(live.wakeUps / liveWithoutMore.wakeUps).toBeLessThan(0.65);
    expect(live.log.lines).toEqual([]);
    expect(live.lostChunks[0]).toBe(0);
  });

  it.each([
    ['a producer that is held back', {}],
    ['a live producer', { ppm: 0 }],
    ['a live producer that is too fast', { ppm: 300 }],
    ['a live producer that is too slow', { ppm: -300 }],
  ])('sends no audio that is older than 220 ms, of %s', async (_, habits) => {
    for (const capacityBytes of [pipeBytes, 2 * pipeBytes, 4 * pipeBytes]) {
      const stays = [200, 210, 215, 730, 1111].map((ms) => [ms, 20_000] as const);
      const scene = { ...usual, ...habits, stays, seconds: 20, capacityBytes };
      const { sends, lostChunks, log } = await play(scene);
      for (const own of sends) {
        // Timers add up to two.
        expect(Math.max(...steady(own).map(({ ageUs }) => ageUs))).toBeLessThanOrEqual(222_000);
      }
      expect(Math.max(...lostChunks)).toBe(0);
      expect(log.lines).toEqual([]);
    }
  });

  it('sends a live producer once per interval, the last chunk of a group with the next group', async () => {
    for (const ppm of [0, 100, -100]) {
      const scene = { ...usual, ppm, writeBytes: 3840, capacityBytes: 4 * pipeBytes, seconds: 20 };
      const { sends } = await play({ ...scene, stays: [[0, 20_000]] });
      expect(steady(sends[0] ?? []).length / scene.seconds).toBeLessThan(6.2);
    }
  });

  it('serves a player that joins in the pause between two groups at once', async () => {
    const stays = [[0, 6000], ...[2007, 2055, 2113, 2177].map((ms) => [ms, 6000])] as const;
    const scene = { ...usual, capacityBytes: 4 * pipeBytes, stays: stays as Scene['stays'] };
    const { sends } = await play(scene);
    const startUs = 1e9;
    for (const [index, [joinMs]] of scene.stays.entries()) {
      if (index === 0) continue;
      const [first] = sends[index] ?? [];
      expect((first?.atUs ?? 0) - startUs).toBe(joinMs * 1000);
      expect(first?.chunks).toBeGreaterThan(30);
    }
  });

  it('gives every player every chunk once and in order, none of them late', async () => {
    const stay = fc.tuple(fc.integer({ min: 0, max: 4000 }), fc.integer({ min: 300, max: 9000 }));
    const rate = fc.oneof(fc.constant(undefined), fc.integer({ min: -300, max: 300 }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(10, 20, 26, 50, 100, 250, 1000),
        fc.constantFrom(200, 400, 1000, 5000),
        fc.constantFrom('auto' as const, 0, 40, 100, 150, 500),
        rate,
        fc.constantFrom(96, 960, 4096, 9600),
        fc.constantFrom(8192, pipeBytes, 2 * pipeBytes, 16 * pipeBytes),
        fc.array(stay, { minLength: 1, maxLength: 5 }),
        async (chunkMs, bufferMs, sendIntervalMs, ppm, writeBytes, capacityBytes, stays) => {
          const timing = { ageMs: chunkMs, durationMs: chunkMs };
          fc.pre(!unplayable(timing, { bufferMs, sendIntervalMs }));
          const { sends, lostChunks, intervalMs, log } = await play({
            ...{ chunkMs, bufferMs, sendIntervalMs, writeBytes, seconds: 6 },
            capacityBytes: Math.max(capacityBytes, chunkMs * 192 + writeBytes),
            ...(ppm !== undefined && { ppm }),
            stays: stays.map(([joinMs, ms]) => [joinMs, joinMs + ms] as const),
          });
          expect(log.lines).toEqual([]);
          expect(Math.max(...lostChunks)).toBe(0);
          // What a live producer has not written yet waits for the next group.
          const liveMs = ppm === undefined ? 0 : 2 * chunkMs + writeBytes / 192;
          const waitMs = Math.max(intervalMs, chunkMs) + liveMs;
          for (const own of sends) {
            for (const [index, { first, chunks }] of own.entries()) {
              const next = own[index + 1];
              if (next) expect(next.first).toBe(first + chunks);
            }
            const ages = steady(own).map(({ ageUs }) => ageUs / 1000);
            expect(Math.max(0, ...ages)).toBeLessThanOrEqual(waitMs + 5);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
