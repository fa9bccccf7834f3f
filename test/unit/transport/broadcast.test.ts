import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Chunk } from '../../../src/audio/chunk.ts';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { Broadcast, type BroadcastOptions } from '../../../src/transport/broadcast.ts';
import type { Cursor } from '../../../src/transport/cursor.ts';
import { NodeFanOut } from '../../../src/transport/node-fan-out.ts';
import { messageTypes, type Peer, SocketPairs } from '../../support/socket-pairs.ts';
import { turn, until } from '../../support/waiting.ts';

const chunkUs = 20_000;
const defaults: BroadcastOptions = {
  bufferMs: 1000,
  sendIntervalMs: 'auto',
  instantStart: true,
  burstBytes: 4 * 1024 * 1024,
};

let pool: ChunkPool;
let pairs: SocketPairs;
let nowUs: number;
let broadcast: Broadcast;
let fanOut: NodeFanOut;

beforeEach(async () => {
  nowUs = 10_000_000;
  pool = new ChunkPool({ verifySeals: true });
  const clock = { nowUs: () => nowUs };
  fanOut = new NodeFanOut(pool);
  pairs = await SocketPairs.open(fanOut, clock);
});

afterEach(async () => {
  vi.useRealTimers();
  pairs.close();
  broadcast.close();
  await until(() => pool.isFull);
  expect(pool.isFull).toBe(true);
  pool.close();
});

function open(options: Partial<BroadcastOptions> = {}): void {
  const clock = { nowUs: () => nowUs };
  broadcast = new Broadcast(fanOut, clock, { ...defaults, ...options });
}

/** Publishes one chunk that was captured just now. */
function publish(bytes = 3840): void {
  nowUs += chunkUs;
  const chunk = pool.acquire(bytes, 'test');
  chunk.payloadBytes = bytes;
  chunk.seal({ timestampUs: nowUs - chunkUs, durationUs: chunkUs });
  broadcast.publish(chunk);
}

/** The same, and lets its writes end. */
async function tick(count = 1, bytes = 3840): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    publish(bytes);
    await turn();
    await turn();
  }
}

function chunksHeard({ heard }: Peer): number {
  return messageTypes(heard()).filter((type) => type === 2).length;
}

/** However slow this machine is, the stream does not count as one that has stopped. */
function neverStops(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

async function subscribe(count: number): Promise<Cursor[]> {
  const peers = await pairs.joinAll(count);
  return peers.map(({ path }) => broadcast.subscribe(path));
}

describe('Broadcast', () => {
  it('sends a fifth of the buffer at once, to a part of the sessions per tick', async () => {
    open();
    const cursors = await subscribe(20);
    neverStops();
    await tick(10);
    for (const { path } of cursors) path.takeStatistics();
    await tick();
    expect(cursors.filter(({ path }) => path.counters.regularSends === 1)).toHaveLength(2);
    await tick(19);
    expect(cursors.map(({ path }) => path.counters.regularSends)).toEqual(new Array(20).fill(2));
    const sizes = cursors.map(({ path }) => path.counters.chunks);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(9);
  });

  it.each([
    [0, 1000, 20],
    [40, 1000, 10],
    [200, 1000, 2],
    ['auto', 500, 4],
    ['auto', 20, 20],
  ] as const)(
    'with send_interval %s and a buffer of %i ms makes %i sends in 20 chunks',
    async (interval, bufferMs, sends) => {
      open({ sendIntervalMs: interval, bufferMs });
      const [cursor] = await subscribe(1);
      neverStops();
      await tick(20);
      expect(cursor?.path.counters.regularSends).toBe(sends);
    },
  );

  it('flushes what is left in all phases when the stream stops', async () => {
    open();
    const peers = await pairs.joinAll(5);
    for (const { path } of peers) broadcast.subscribe(path);
    await tick(7);
    expect(peers.map(chunksHeard)).not.toEqual(new Array(5).fill(7));
    await until(() => peers.every((peer) => chunksHeard(peer) === 7));
    expect(peers.map(chunksHeard)).toEqual(new Array(5).fill(7));
    // The wait for the end of the stream is over; it begins anew with each further chunk.
    await tick(6);
    expect(peers.map(chunksHeard)).not.toEqual(new Array(5).fill(13));
    await until(() => peers.every((peer) => chunksHeard(peer) === 13));
  });

  it('gives a session all that there is when it has waited for its interval, whatever comes', async () => {
    open();
    const cursors = await subscribe(10);
    neverStops();
    await tick(23);
    expect(cursors.some(({ sequence }) => sequence < broadcast.ring.head)).toBe(true);
    nowUs += 200_000;
    await tick();
    expect(cursors.map(({ sequence }) => broadcast.ring.head - sequence)).toEqual(
      new Array(10).fill(0),
    );
  });

  it('keeps what is left of a stream no longer than an interval, also after a pause', async () => {
    open();
    const cursors = await subscribe(10);
    neverStops();
    await tick(20);
    nowUs += 5_000_000;
    await tick(4);
    expect(cursors.some(({ sequence }) => sequence < broadcast.ring.head)).toBe(true);
    vi.advanceTimersByTime(220);
    expect(cursors.map(({ sequence }) => broadcast.ring.head - sequence)).toEqual(
      new Array(10).fill(0),
    );
  });

  it('starts a new session with the oldest chunk that it can still play', async () => {
    open();
    await tick(60);
    const peer = await pairs.join();
    const cursor = broadcast.subscribe(peer.path);
    // 1000 ms of buffer less 150 ms for the way: 42 chunks and the one that begins earlier.
    expect(broadcast.ring.head - cursor.sequence).toBe(42);
    await tick();
    await until(() => chunksHeard(peer) >= 43);
    expect(chunksHeard(peer)).toBe(43);
  });

  it('starts with the next chunk when instant start is off', async () => {
    open({ instantStart: false });
    await tick(60);
    const [cursor] = await subscribe(1);
    expect(cursor?.sequence).toBe(broadcast.ring.head);
  });

  it('serves a session that joins a stream which has just stopped', async () => {
    open();
    await tick(10);
    const peer = await pairs.join();
    broadcast.subscribe(peer.path);
    await until(() => chunksHeard(peer) === 10);
    expect(chunksHeard(peer)).toBe(10);
  });

  it('serves a session that joins a stream which stopped a while ago', async () => {
    open();
    const early = await pairs.join();
    broadcast.subscribe(early.path);
    await tick(7);
    // What the early one gets last it gets because the stream has stopped.
    await until(() => chunksHeard(early) === 7);
    const late = await pairs.join();
    broadcast.subscribe(late.path);
    await until(() => chunksHeard(late) === 7);
    expect(chunksHeard(early)).toBe(7);
  });

  it('bounds the burst per tick, serves all who join in turns, and never starves who plays', async () => {
    open({ burstBytes: 64 * 1024, sendIntervalMs: 0 });
    const [playing] = await subscribe(1);
    await tick(60);
    const joining = await subscribe(8);
    const before = joining.reduce((sum, { path }) => sum + path.counters.regularBytes, 0);
    expect(before).toBe(0);
    await tick();
    // One session gets at most 128 KiB, and the budget was spent with the first.
    const served = joining.filter(({ path }) => path.counters.chunks > 1);
    expect(served).toHaveLength(1);
    await tick(7);
    expect(joining.every(({ path }) => path.counters.chunks > 1)).toBe(true);
    expect(playing?.path.counters).toMatchObject({ chunks: 68, regularSends: 68, lostChunks: 0 });
    await tick(40);
    expect(joining.every(({ sequence }) => sequence === broadcast.ring.head)).toBe(true);
  });

  it('serves in turns who needs more than one burst', async () => {
    open({ burstBytes: 64 * 1024, sendIntervalMs: 0 });
    await tick(60, 12_000);
    const joining = await subscribe(4);
    for (let served = 1; served <= 4; served += 1) {
      await tick(1, 12_000);
      expect(joining.filter(({ path }) => path.counters.chunks > 0)).toHaveLength(served);
    }
    expect(joining.every(({ sequence }) => sequence < broadcast.ring.head)).toBe(true);
  });

  it('lets a session that was skipped catch up at the next tick', async () => {
    open({ sendIntervalMs: 100 });
    const [peer] = await pairs.joinAll(1);
    if (!peer) throw new Error('no peer');
    const cursor = broadcast.subscribe(peer.path);
    await tick(4);
    peer.connection.reservation.tryRaise();
    await tick();
    expect(cursor.path.counters).toMatchObject({ regularSends: 0, coordinationFallbacks: 1 });
    peer.connection.reservation.lower();
    await tick();
    expect(cursor.path.counters).toMatchObject({ regularSends: 1, chunks: 6 });
  });

  it('lets a session catch up although one chunk is nearly all that fits into a tick', async () => {
    open();
    const [peer] = await pairs.joinAll(1);
    if (!peer) throw new Error('no peer');
    const cursor = broadcast.subscribe(peer.path);
    peer.connection.reservation.tryRaise();
    await tick(20, 100_000);
    peer.connection.reservation.lower();
    await tick(20, 100_000);
    await until(() => peer.connection.reservation.isFree);
    // What makes one send of a session that is not behind.
    expect(broadcast.ring.head - cursor.sequence).toBeLessThanOrEqual(10);
    expect(cursor.path.counters.lostChunks).toBe(0);
  });

  it('moves a session that fell behind to audio that it can still play, and counts the loss', async () => {
    open({ sendIntervalMs: 100 });
    const [peer] = await pairs.joinAll(1);
    if (!peer) throw new Error('no peer');
    const cursor = broadcast.subscribe(peer.path);
    await tick(5);
    expect(cursor.sequence).toBe(5);
    peer.connection.reservation.tryRaise();
    await tick(100);
    peer.connection.reservation.lower();
    await tick();
    const { chunks, lostChunks } = cursor.path.counters;
    expect(chunks + lostChunks).toBe(cursor.sequence);
    // Of 101 chunks those of the last 850 to 950 ms are still of use.
    expect(lostChunks).toBeGreaterThanOrEqual(101 - 48);
    expect(lostChunks).toBeLessThanOrEqual(101 - 42);
    await tick(3);
    expect(cursor.sequence).toBeGreaterThan(95);
  });

  it('counts what was too old for everybody when it came, also for who has heard nothing yet', async () => {
    open({ bufferMs: 200 });
    const [cursor] = await subscribe(1);
    for (let index = 0; index < 5; index += 1) {
      nowUs += 300_000;
      const chunk = pool.acquire(100, 'test');
      chunk.payloadBytes = 100;
      chunk.seal({ timestampUs: nowUs - 300_000, durationUs: 300_000 });
      broadcast.publish(chunk);
    }
    await turn();
    expect(broadcast.outdatedChunks).toBe(5);
    expect(cursor?.path.counters).toMatchObject({ chunks: 0, lostChunks: 5 });
    await tick();
    expect(broadcast.outdatedChunks).toBe(5);
    expect(cursor?.path.counters.lostChunks).toBe(5);
  });

  it('lets who joins wait for its whole past rather than begin and fall behind', async () => {
    open({ burstBytes: 64 * 1024, sendIntervalMs: 0 });
    await tick(60);
    const joining = await subscribe(40);
    const isBehind = ({ sequence }: Cursor) => sequence < broadcast.ring.head;
    const firstSends = new Map<Cursor, number>();
    for (let round = 0; round < 200 && joining.some(isBehind); round += 1) {
      await tick();
      for (const cursor of joining) {
        const { chunks } = cursor.path.counters;
        if (chunks > 0 && !firstSends.has(cursor)) firstSends.set(cursor, chunks);
      }
    }
    // A whole burst, never just the next chunk.
    expect(Math.min(...firstSends.values())).toBe(16);
    for (const { path, sequence } of joining) {
      expect(path.counters.lostChunks).toBe(0);
      expect(sequence).toBe(broadcast.ring.head);
      expect(path.counters.chunks).toBeGreaterThanOrEqual(42);
    }
  });

  it('serves those first who were left over when the time of a tick was up', async () => {
    open({ sendIntervalMs: 0 });
    const cursors = await subscribe(5);
    const served: number[] = [];
    let room = 2;
    fanOut.deliver = (ring, due) => {
      const some = due.filter(({ quota }) => quota > 0).slice(0, room);
      for (const cursor of some) {
        served.push(cursor.ordinal);
        cursor.sequence = ring.head;
        cursor.quota = 0;
      }
      return due.every(({ quota }) => quota === 0);
    };
    publish();
    await turn();
    expect(served).toEqual([0, 1]);
    // The next chunk comes before all have got this one; 2 and 3 then get both.
    publish();
    await turn();
    expect(served).toEqual([0, 1, 2, 3, 4, 0]);
    room = 1;
    await turn();
    expect(served).toEqual([0, 1, 2, 3, 4, 0, 1]);
    expect(cursors.map(({ quota }) => quota)).toEqual(new Array(5).fill(0));
  });

  it('forgets who was left over when its chunks are dropped or it leaves', async () => {
    open({ sendIntervalMs: 0 });
    const cursors = await subscribe(2);
    const looked: number[] = [];
    fanOut.deliver = (_, due) => {
      looked.push(due.filter(({ quota }) => quota > 0).length);
      return false;
    };
    publish();
    await turn();
    broadcast.unsubscribe(cursors[0] as Cursor);
    await turn();
    await turn();
    expect(looked.slice(0, 2)).toEqual([2, 1]);
    broadcast.clear();
    const looks = looked.length;
    await turn();
    expect(looked).toHaveLength(looks);
  });

  it('serves all chunks of one turn of the event loop by one call', async () => {
    open();
    const peers = await pairs.joinAll(4);
    for (const { path } of peers) broadcast.subscribe(path);
    neverStops();
    await tick(10);
    const deliver = vi.spyOn(fanOut, 'deliver');
    for (const { path } of peers) path.takeStatistics();
    for (let group = 0; group < 3; group += 1) {
      for (let chunk = 0; chunk < 10; chunk += 1) publish();
      await turn();
    }
    expect(deliver).toHaveBeenCalledTimes(3);
    for (const { path } of peers) expect(path.counters.regularSends).toBe(3);
    for (const { path } of peers) expect(path.counters.chunks).toBeGreaterThanOrEqual(30);
  });

  it('does not wait for a chunk to serve those that join, all of one turn by one call', async () => {
    open();
    await tick(60);
    const peers = await pairs.joinAll(5);
    const deliver = vi.spyOn(fanOut, 'deliver');
    const cursors = peers.map(({ path }) => broadcast.subscribe(path));
    const [gone] = cursors.splice(2, 1);
    if (gone) broadcast.unsubscribe(gone);
    await turn();
    expect(deliver).toHaveBeenCalledTimes(1);
    for (const { path } of cursors) expect(path.counters.chunks).toBeGreaterThan(30);
    expect(gone?.path.counters.chunks).toBe(0);
    await until(() => cursors.every(({ sequence }) => sequence === broadcast.ring.head));
  });

  it('keeps to the burst when many join, has as many of them as chunks come, and starves none', async () => {
    open({ burstBytes: 64 * 1024 });
    const peers = await pairs.joinAll(21);
    neverStops();
    await tick(60);
    const joining = peers.slice(1).map(({ path }) => broadcast.subscribe(path));
    const served = () => joining.filter(({ path }) => path.counters.chunks > 0).length;
    await turn();
    expect(served()).toBe(1);
    // Those that come later wait behind the others.
    for (const { path } of peers.slice(0, 1)) joining.push(broadcast.subscribe(path));
    await turn();
    expect(served()).toBe(1);
    for (let chunk = 0; chunk < 5; chunk += 1) publish();
    await turn();
    expect(served()).toBe(6);
    for (let group = 0; group < 15; group += 1) {
      for (let chunk = 0; chunk < 5; chunk += 1) publish();
      await turn();
    }
    expect(served()).toBe(21);
    for (const { path } of joining) expect(path.counters.lostChunks).toBe(0);
  });

  it('gives a session the rest soon when its socket was reserved at the time of its group', async () => {
    open();
    const peer = await pairs.join();
    const cursor = broadcast.subscribe(peer.path);
    await tick(10);
    peer.connection.reservation.tryRaise();
    for (let chunk = 0; chunk < 10; chunk += 1) publish();
    await turn();
    expect(broadcast.ring.head - cursor.sequence).toBeGreaterThanOrEqual(10);
    peer.connection.reservation.lower();
    await until(() => cursor.sequence === broadcast.ring.head);
    expect(cursor.path.counters.coordinationFallbacks).toBeGreaterThan(0);
    expect(cursor.sequence).toBe(broadcast.ring.head);
  });

  it('delivers nothing that the ring has dropped to those that a slice left over', async () => {
    open({ bufferMs: 200, sendIntervalMs: 0 });
    const cursors = await subscribe(3);
    neverStops();
    let room = 1;
    const firsts: number[] = [];
    fanOut.deliver = (ring, due) => {
      for (const cursor of due.filter(({ quota }) => quota > 0).slice(0, room)) {
        firsts.push(cursor.sequence);
        for (let index = 0; index < cursor.quota; index += 1) ring.at(cursor.sequence + index);
        cursor.sequence += cursor.quota;
        cursor.quota = 0;
      }
      return due.every(({ quota }) => quota === 0);
    };
    publish();
    await turn();
    expect(firsts).toEqual([0]);
    for (let chunk = 0; chunk < 30; chunk += 1) publish();
    const { tail } = broadcast.ring;
    expect(tail).toBeGreaterThan(10);
    room = 3;
    await turn();
    await turn();
    expect(firsts.length).toBeGreaterThan(1);
    for (const first of firsts.slice(1)) expect(first).toBeGreaterThanOrEqual(tail);
    for (const { sequence } of cursors) expect(sequence).toBe(broadcast.ring.head);
  });

  it('sends nothing more after a session has unsubscribed', async () => {
    open({ sendIntervalMs: 0 });
    const [first, second] = await subscribe(2);
    await tick();
    if (first) broadcast.unsubscribe(first);
    if (first) broadcast.unsubscribe(first);
    await tick(3);
    expect([first?.path.counters.chunks, second?.path.counters.chunks]).toEqual([1, 4]);
    expect(broadcast.subscribers).toBe(1);
  });

  it('looks at as many chunks per tick whether few or many are kept', async () => {
    const looks = vi.spyOn(Chunk.prototype, 'timestampUs', 'get');
    const looksWith = async (kept: number) => {
      open({ bufferMs: (kept * chunkUs) / 1000, sendIntervalMs: 0 });
      await subscribe(1);
      for (let index = 0; index < kept; index += 1) {
        looks.mockClear();
        publish(1);
      }
      await turn();
      looks.mockClear();
      publish(1);
      const count = looks.mock.calls.length;
      broadcast.close();
      return count;
    };
    const withFew = await looksWith(100);
    const withMany = await looksWith(3000);
    looks.mockRestore();
    expect(withFew).toBeGreaterThan(0);
    expect(withMany).toBeLessThan(3 * withFew);
  });
});

describe('Broadcast, with chunks of all sizes', () => {
  const maxSendBytes = 128 * 1024;
  const webSocketHeaderBytes = 10;

  interface Send {
    readonly cursor: Cursor;
    readonly chunks: number;
    readonly bytes: number;
  }

  /** What the fan-out is to send in each call; it sends all of it. */
  function record(): Send[] {
    const sends: Send[] = [];
    fanOut.deliver = (ring, due) => {
      for (const cursor of due) {
        const end = cursor.sequence + Math.min(cursor.quota, ring.head - cursor.sequence);
        let bytes = 0;
        for (let sequence = cursor.sequence; sequence < end; sequence += 1) {
          bytes += ring.at(sequence).tcpMessage.length + webSocketHeaderBytes;
        }
        if (end > cursor.sequence) sends.push({ cursor, chunks: end - cursor.sequence, bytes });
        cursor.sequence = end;
        cursor.quota = 0;
      }
      return true;
    };
    return sends;
  }

  /** Runs of small and of large chunks, as of silence and music in a lossless codec. */
  const chunkSizes = fc
    .array(
      fc.tuple(
        fc.integer({ min: 1, max: 60 }),
        fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 300_000 })),
      ),
      { minLength: 1, maxLength: 8 },
    )
    .map((runs) => runs.flatMap(([count, bytes]) => new Array<number>(count).fill(bytes)));

  it.each([0, 'auto'] as const)(
    'give nobody more than one send at a time, and all who join no more than the burst (%s)',
    async (sendIntervalMs) => {
      const peers = await pairs.joinAll(6);
      neverStops();
      await fc.assert(
        fc.asyncProperty(
          chunkSizes,
          fc.array(fc.nat(400), { minLength: 5, maxLength: 5 }),
          fc.constantFrom(64 * 1024, 200_000, 4 * 1024 * 1024),
          async (sizes, joinsAt, burstBytes) => {
            const sends = record();
            open({ bufferMs: 15_000, sendIntervalMs, burstBytes });
            const [first, ...others] = peers.map(({ path }) => path);
            const playing = first && broadcast.subscribe(first);
            const cursors = [playing];
            try {
              for (const [index, bytes] of [...sizes, ...new Array(100).fill(1)].entries()) {
                for (const [who, at] of joinsAt.entries()) {
                  const path = others[who];
                  if (at === index && path) cursors.push(broadcast.subscribe(path));
                }
                publish(bytes);
                await turn();
                for (const send of sends) {
                  expect(send.bytes <= maxSendBytes || send.chunks <= 2).toBe(true);
                }
                if (sendIntervalMs === 0) {
                  const bursts = sends.filter(({ chunks }) => chunks > 1);
                  const sum = bursts.reduce((total, send) => total + send.bytes, 0);
                  const isLeast = bursts.length === 1 && bursts[0]?.chunks === 2;
                  expect(sum <= burstBytes || isLeast).toBe(true);
                }
                sends.length = 0;
              }
              for (const cursor of cursors) expect(cursor?.path.counters.lostChunks).toBe(0);
            } finally {
              broadcast.close();
            }
          },
        ),
        { numRuns: 50 },
      );
    },
  );

  it('keep who plays in step when a regular share is more than one send', async () => {
    const sends = record();
    open();
    await subscribe(3);
    neverStops();
    await tick(60, 1);
    for (let index = 0; index < 60; index += 1) {
      await tick(1, 100_000);
      for (const { chunks } of sends) expect(chunks).toBeGreaterThan(0);
    }
    const large = sends.filter(({ bytes }) => bytes > maxSendBytes);
    expect(large.filter(({ chunks }) => chunks > 2)).toEqual([]);
    const cursors = [...new Set(sends.map(({ cursor }) => cursor))];
    expect(cursors).toHaveLength(3);
    // Nobody stands further back than a regular share and what came while it was sent.
    for (const { sequence } of cursors) {
      expect(broadcast.ring.head - sequence).toBeLessThanOrEqual(11);
    }
  });

  it('let a player join after silence that was followed by large chunks', async () => {
    open({ bufferMs: 15_000 });
    for (let index = 0; index < 50; index += 1) publish(60);
    for (let index = 0; index < 512; index += 1) publish(90_000);
    const peer = await pairs.join();
    const cursor = broadcast.subscribe(peer.path);
    for (let round = 0; round < 2000 && cursor.sequence < broadcast.ring.head; round += 1) {
      await tick(1, 60);
    }
    expect(cursor.sequence).toBe(broadcast.ring.head);
    expect(cursor.path.counters.lostChunks).toBe(0);
  });
});
