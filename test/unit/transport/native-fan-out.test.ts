import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { ChunkRing } from '../../../src/audio/chunk-ring.ts';
import { LoopShare } from '../../../src/base/time/loop-share.ts';
import { Cursor } from '../../../src/transport/cursor.ts';
import type { FanOut } from '../../../src/transport/fan-out.ts';
import { nativeFanOut } from '../../support/native.ts';
import { SocketPairs } from '../../support/socket-pairs.ts';
import { turn, until } from '../../support/waiting.ts';

const share = new LoopShare();
let pool: ChunkPool;
let ring: ChunkRing;
let fanOut: FanOut;
let pairs: SocketPairs;

beforeEach(async () => {
  pool = new ChunkPool({ verifySeals: true });
  ring = new ChunkRing();
  fanOut = nativeFanOut(pool, { minBytes: 1, mode: 'always' });
  pairs = await SocketPairs.open(fanOut);
});

afterEach(async () => {
  vi.useRealTimers();
  pairs.close();
  ring.clear();
  await fanOut.close();
  expect(pool.isFull).toBe(true);
  pool.close();
});

function publish(count: number, bytes: number): void {
  for (let index = 0; index < count; index += 1) {
    const chunk = pool.acquire(bytes, 'test');
    chunk.payloadBytes = bytes;
    chunk.seal({ timestampUs: ring.head * 20_000, durationUs: 20_000 });
    ring.push(chunk);
  }
}

describe('the native fan-out', () => {
  it('gives back thousands of chunks that were completed by one call', async () => {
    const peers = await pairs.joinAll(6);
    publish(6 * 500, 100);
    const cursors = peers.map(({ path }, index) => new Cursor(path, index, 500 * index));
    for (const cursor of cursors) cursor.quota = 500;
    while (!fanOut.deliver(ring, cursors, share));
    expect(cursors.map(({ sequence }) => sequence)).toEqual([500, 1000, 1500, 2000, 2500, 3000]);
    ring.clear();
    await until(() => pool.isFull);
  });

  it('counts nothing of sends that fail, and ends their sessions within the call', async () => {
    const peers = await pairs.joinAll(3);
    const [first, healthy, second] = peers;
    publish(4, 1000);
    const cursors = peers.map(({ path }, index) => new Cursor(path, index, 0));
    for (const cursor of cursors) cursor.quota = 2;
    while (!fanOut.deliver(ring, cursors, share));
    // The kernel knows of it at once, the event loop only in its next turn.
    for (const peer of [first, second]) peer?.remote.resetAndDestroy();
    for (const cursor of cursors) cursor.quota = 2;
    while (!fanOut.deliver(ring, cursors, share));
    const reset = 'connection failed: write ECONNRESET';
    expect(peers.map(({ closedFor }) => closedFor())).toEqual([reset, undefined, reset]);
    expect(cursors.map(({ sequence }) => sequence)).toEqual([2, 4, 2]);
    expect(peers.map(({ path }) => path.totals)).toMatchObject([
      { zeroCopyAttempts: 2, zeroCopySends: 1, regularSends: 0, chunks: 2, outstanding: 0 },
      { zeroCopyAttempts: 2, zeroCopySends: 2, regularSends: 0, chunks: 4 },
      { zeroCopyAttempts: 2, zeroCopySends: 1, regularSends: 0, chunks: 2, outstanding: 0 },
    ]);
    ring.clear();
    await until(() => pool.isFull);
    expect(pool.isFull).toBe(true);
    expect(healthy?.closedFor()).toBeUndefined();
  });

  it('lets go at its end of what the kernel keeps for too long', async () => {
    const peer = await pairs.join(false);
    expect(peer.path.isZeroCopy).toBe(true);
    const cursor = new Cursor(peer.path, 0, 0);
    while (peer.connection.reservation.isFree) {
      publish(1, 60_000);
      cursor.quota = 1;
      while (!fanOut.deliver(ring, [cursor], share));
    }
    expect(peer.path.takeStatistics().outstanding).toBeGreaterThan(0);
    const removedNs = process.hrtime.bigint();
    peer.connection.close('enough');
    ring.clear();
    expect(pool.isFull).toBe(false);
    // Its two seconds are over before the kernel has had any of them.
    vi.useFakeTimers({ toFake: ['performance'] });
    const closed = fanOut.close();
    expect(pool.isFull).toBe(false);
    vi.advanceTimersByTime(2001);
    await closed;
    await turn();
    expect(pool.isFull).toBe(true);
    // By itself the kernel is made to let go after a second.
    expect(Number(process.hrtime.bigint() - removedNs) / 1e6).toBeLessThan(900);
  });
});
