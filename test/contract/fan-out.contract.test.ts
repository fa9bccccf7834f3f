import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Chunk } from '../../src/audio/chunk.ts';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { ChunkRing } from '../../src/audio/chunk-ring.ts';
import { LoopShare } from '../../src/base/time/loop-share.ts';
import { encodeTimeReply } from '../../src/protocol/messages.ts';
import { Cursor } from '../../src/transport/cursor.ts';
import type { FanOut } from '../../src/transport/fan-out.ts';
import type { Framing } from '../../src/transport/link.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import type { SendStatistics } from '../../src/transport/send-statistics.ts';
import { nativeFanOut } from '../support/native.ts';
import { messageTypes, SocketPairs } from '../support/socket-pairs.ts';
import { turn, until } from '../support/waiting.ts';

const implementations: [string, (pool: ChunkPool) => FanOut][] = [
  ['NodeFanOut', (pool) => new NodeFanOut(pool)],
  ['NativeFanOut', (pool) => nativeFanOut(pool)],
  ['NativeFanOut, all zero-copy', (pool) => nativeFanOut(pool, { minBytes: 1, mode: 'always' })],
  [
    'NativeFanOut, adaptive zero-copy',
    (pool) => nativeFanOut(pool, { minBytes: 4000, mode: 'adaptive' }),
  ],
];

const framings: readonly Framing[] = ['tcp', 'websocket'];
const cases = implementations.flatMap(([name, create]) =>
  framings.map((framing) => ({ name, create, framing })),
);

/** Source: tcp(7), tcp_wmem. */
const maxSendBufferBytes = 4 * 1024 * 1024;
const share = new LoopShare();

describe.each(cases)('$name over $framing', ({ create, framing }) => {
  let pool: ChunkPool;
  let ring: ChunkRing;
  let fanOut: FanOut;
  let pairs: SocketPairs;

  beforeEach(async () => {
    pool = new ChunkPool({ verifySeals: true });
    ring = new ChunkRing();
    fanOut = create(pool);
    pairs = await SocketPairs.open(fanOut, undefined, framing);
  });

  afterEach(async () => {
    pairs.close();
    ring.clear();
    await eventually(() => pool.isFull);
    expect(pool.isFull).toBe(true);
    pool.close();
  });

  function publish(count: number, bytes = 500): void {
    for (let index = 0; index < count; index += 1) {
      const chunk = pool.acquire(bytes, 'test');
      chunk.writable.fill(ring.head % 251, 0, bytes);
      chunk.payloadBytes = bytes;
      chunk.seal({ timestampUs: ring.head * 20_000, durationUs: 20_000 });
      ring.push(chunk);
    }
  }

  function expected(from: number, to: number): Buffer {
    const messages = [];
    for (let sequence = from; sequence < to; sequence += 1) {
      messages.push(ring.at(sequence).tcpMessage);
    }
    return Buffer.concat(messages);
  }

  /** What those chunks are on the wire. */
  function wireBytes(from: number, to: number): number {
    const { tcpMessage, webSocketFrame } = ring.at(from);
    return (to - from) * (framing === 'websocket' ? webSocketFrame : tcpMessage).length;
  }

  function deliver(cursors: Cursor[], quota = 100): void {
    for (const cursor of cursors) cursor.quota = quota;
    while (!fanOut.deliver(ring, cursors, share));
  }

  it('sends what lies between each cursor and the head, and moves the cursors there', async () => {
    const [near, far] = [await pairs.join(), await pairs.join()];
    publish(10);
    const cursors = [new Cursor(near.path, 0, 8), new Cursor(far.path, 1, 2)];
    deliver(cursors);
    expect(cursors.map(({ sequence }) => sequence)).toEqual([10, 10]);
    await eventually(() => near.heard().length >= expected(8, 10).length);
    await eventually(() => far.heard().length >= expected(2, 10).length);
    expect(near.heard().equals(expected(8, 10))).toBe(true);
    expect(far.heard().equals(expected(2, 10))).toBe(true);
  });

  it('sends no more chunks than the quota allows', async () => {
    const peer = await pairs.join();
    publish(10);
    const cursor = new Cursor(peer.path, 0, 0);
    deliver([cursor], 3);
    expect(cursor.sequence).toBe(3);
    const statistics = cursor.path.takeStatistics();
    expect(statistics).toMatchObject({ chunks: 3, lostChunks: 0 });
    expect(sendsOf(statistics)).toEqual({ sends: 1, bytes: wireBytes(0, 3) });
    await eventually(() => peer.heard().length >= expected(0, 3).length);
    expect(peer.heard().equals(expected(0, 3))).toBe(true);
  });

  it('takes a quota of more bytes than one slot of memory holds, piece by piece', async () => {
    const peer = await pairs.join();
    publish(3, 12_000_000);
    const cursor = new Cursor(peer.path, 0, 0);
    await eventually(() => {
      deliver([cursor], 512);
      return cursor.sequence === ring.head;
    });
    const whole = expected(0, 3);
    const heardBytes = () => peer.pieces.reduce((sum, piece) => sum + piece.length, 0);
    await eventually(() => heardBytes() >= whole.length);
    expect(peer.heard().equals(whole)).toBe(true);
  });

  it('looks at no more chunks than are sent, however far apart the cursors stand', async () => {
    const [far, near] = [await pairs.join(), await pairs.join()];
    publish(5000, 20);
    const looks = vi.spyOn(Chunk.prototype, 'tcpMessage', 'get');
    deliver([new Cursor(far.path, 0, 0), new Cursor(near.path, 1, 4999)], 100);
    const count = looks.mock.calls.length;
    looks.mockRestore();
    expect(count).toBeGreaterThanOrEqual(101);
    expect(count).toBeLessThan(1000);
    await eventually(() => far.heard().length >= expected(0, 100).length);
    await eventually(() => near.heard().length >= expected(4999, 5000).length);
  });

  it('sends nothing to a cursor that stands at the head', async () => {
    const peer = await pairs.join();
    publish(3);
    const cursor = new Cursor(peer.path, 0, 3);
    deliver([cursor]);
    expect(sendsOf(cursor.path.takeStatistics())).toEqual({ sends: 0, bytes: 0 });
  });

  it('gives sessions at the same place identical bytes', async () => {
    const all = await pairs.joinAll(20);
    publish(5);
    deliver(all.map(({ path }, index) => new Cursor(path, index, 0)));
    const whole = expected(0, 5);
    for (const { heard } of all) {
      await eventually(() => heard().length >= whole.length);
      expect(heard().equals(whole)).toBe(true);
    }
  });

  if (framing === 'websocket')
    it('puts each chunk into exactly one frame', async () => {
      const peer = await pairs.join();
      const sizes = [1, 70, 80, 125, 126, 3840, 65_490, 65_510, 70_000];
      for (const size of sizes) publish(1, size);
      deliver([new Cursor(peer.path, 0, 0)]);
      await eventually(() => peer.pieces.length >= sizes.length);
      const messages = sizes.map((_, sequence) => ring.at(sequence).tcpMessage);
      expect(peer.pieces.map((piece) => piece.length)).toEqual(messages.map((one) => one.length));
      expect(peer.heard().equals(Buffer.concat(messages))).toBe(true);
    });

  it.each([1, 5])('serves both framings from the same %i chunks', async (count) => {
    const all = [];
    for (const kind of ['tcp', 'websocket', 'websocket', 'tcp'] as const) {
      all.push(await pairs.join(true, kind));
    }
    publish(count);
    deliver(all.map(({ path }, index) => new Cursor(path, index, 0)));
    for (const { heard } of all) {
      await eventually(() => heard().length >= expected(0, count).length);
      expect(heard().equals(expected(0, count))).toBe(true);
    }
  });

  it('skips and counts a session whose socket is reserved, and serves it later', async () => {
    const peer = await pairs.join();
    publish(2);
    const cursor = new Cursor(peer.path, 0, 0);
    peer.connection.reservation.tryRaise();
    deliver([cursor]);
    expect(cursor.sequence).toBe(0);
    expect(cursor.path.takeStatistics().coordinationFallbacks).toBe(1);
    peer.connection.reservation.lower();
    deliver([cursor]);
    await eventually(() => peer.heard().length >= expected(0, 2).length);
    expect(peer.heard().equals(expected(0, 2))).toBe(true);
  });

  it('keeps messages and audio whole when they are sent at the same time', async () => {
    const peer = await pairs.join();
    const cursor = new Cursor(peer.path, 0, 0);
    let replies = 0;
    for (let round = 0; round < 200; round += 1) {
      publish(1, 5000);
      deliver([cursor]);
      peer.connection.send(encodeTimeReply({ requestId: 1, receivedUs: 0, latencyUs: 0 }));
      replies += 1;
      if (round % 3 === 0) await turn();
    }
    await eventually(() => {
      deliver([cursor]);
      return cursor.sequence === ring.head;
    });
    await eventually(() => peer.heard().length >= expected(0, 200).length + replies * 34);
    const sizes = messageTypes(peer.heard());
    expect(sizes.filter((type) => type === 2)).toHaveLength(200);
    expect(sizes.filter((type) => type === 4)).toHaveLength(200);
  });

  it('keeps chunks that are on the way although the ring has dropped them', async () => {
    const peer = await pairs.join(false);
    publish(400, 50_000);
    const cursor = new Cursor(peer.path, 0, 0);
    // The kernel makes more room for a while.
    for (let busyTurns = 0; busyTurns < 10; ) {
      deliver([cursor], 400);
      await turn();
      busyTurns = peer.connection.reservation.isFree ? 0 : busyTurns + 1;
    }
    const whole = expected(0, cursor.sequence);
    ring.clear();
    await turn();
    expect(pool.isFull).toBe(false);
    peer.read();
    await eventually(() => peer.heard().length >= whole.length);
    expect(peer.heard().equals(whole)).toBe(true);
    await eventually(() => pool.isFull);
  });

  it('queues nothing for a stalled session and leaves the others alone', async () => {
    const [stalled, healthy] = [await pairs.join(false), await pairs.join()];
    const cursors = [new Cursor(stalled.path, 0, 0), new Cursor(healthy.path, 1, 0)];
    for (let round = 0; round < 300; round += 1) {
      publish(1, 60_000);
      deliver(cursors);
      ring.dropBefore((ring.head - 20) * 20_000);
      const [first] = cursors;
      if (first && first.sequence < ring.tail) first.sequence = ring.tail;
      await turn();
    }
    await eventually(() => {
      deliver(cursors);
      return cursors[1]?.sequence === ring.head;
    });
    expect(stalled.connection.busySinceUs).toBeDefined();
    expect(cursors[0]?.path.takeStatistics().coordinationFallbacks).toBeGreaterThan(100);
    // Ring, the healthy session's last batch and one batch for the stalled one; with zero-copy its
    // send buffer too, which then is no copy.
    const pinned = stalled.path.isZeroCopy ? maxSendBufferBytes / 60_000 : 0;
    const leased = pool.statistics.totalSlots - pool.statistics.availableSlots;
    expect(leased).toBeLessThan(30 + pinned);
    await eventually(() => messageTypes(healthy.heard()).length === 300);
  });

  it('ends a session whose send fails, says why, and serves the others all the same', async () => {
    const [gone, healthy] = [await pairs.join(), await pairs.join()];
    publish(3);
    const cursors = [new Cursor(gone.path, 0, 0), new Cursor(healthy.path, 1, 0)];
    // The kernel knows of it at once, the event loop only in its next turn.
    gone.remote.resetAndDestroy();
    deliver(cursors);
    await eventually(() => gone.closedFor() !== undefined);
    expect(gone.closedFor()).toBe('connection failed: write ECONNRESET');
    await eventually(() => healthy.heard().length >= expected(0, 3).length);
    expect(healthy.heard().equals(expected(0, 3))).toBe(true);
    expect(healthy.closedFor()).toBeUndefined();
    ring.clear();
    await eventually(() => pool.isFull);
  });

  it('gives everything back when peers vanish with chunks on the way', async () => {
    const all = await pairs.joinAll(10, false);
    const cursors = all.map(({ path }, index) => new Cursor(path, index, 0));
    for (let round = 0; round < 100; round += 1) {
      publish(1, 60_000);
      deliver(cursors);
      await turn();
    }
    for (const [index, peer] of all.entries()) {
      if (index % 2 === 0) peer.remote.resetAndDestroy();
      else peer.connection.close('given up');
    }
    ring.clear();
    await eventually(() => pool.isFull);
    await eventually(() => all.every(({ closedFor }) => closedFor() !== undefined));
  });
});

function sendsOf(statistics: SendStatistics): { sends: number; bytes: number } {
  const { zeroCopySends, zeroCopyBytes, regularSends, regularBytes } = statistics;
  return { sends: zeroCopySends + regularSends, bytes: zeroCopyBytes + regularBytes };
}

async function eventually(condition: () => boolean): Promise<void> {
  await until(condition);
  expect(condition()).toBe(true);
}
