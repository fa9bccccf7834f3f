import { afterEach, describe, expect, it, vi } from 'vitest';
import { headroomBytes } from '../../../src/audio/chunk.ts';
import { ChunkPool, largestSlotBytes } from '../../../src/audio/chunk-pool.ts';
import { sendingAddon } from '../../support/native.ts';
import { until } from '../../support/waiting.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('ChunkPool', () => {
  it.each([
    [1, 1024],
    [1024 - headroomBytes, 1024],
    [1025 - headroomBytes, 2048],
    [3840, 4096],
    [15_360, 16_384],
    [200_000, 262_144],
  ])('serves %i bytes of payload from slots of %i bytes', (payload, slot) => {
    const pool = new ChunkPool();
    const chunk = pool.acquire(payload, 'test');
    expect(chunk.capacityBytes + headroomBytes).toBe(slot);
    chunk.release();
    expect(pool.isFull).toBe(true);
    pool.close();
  });

  it('gives every chunk memory of its own', () => {
    const pool = new ChunkPool({ verifySeals: true });
    const chunks = Array.from({ length: 100 }, (_, index) => {
      const chunk = pool.acquire(900, 'test');
      chunk.writable.fill(index);
      chunk.payloadBytes = 900;
      return chunk;
    });
    for (const [index, chunk] of chunks.entries()) {
      expect(chunk.payload.every((byte) => byte === index)).toBe(true);
      chunk.release();
    }
    expect(pool.isFull).toBe(true);
    pool.close();
  });

  it('counts slots, memory, reuse and hits', () => {
    const pool = new ChunkPool();
    expect(pool.statistics).toMatchObject({ totalSlots: 0, bytesAllocated: 0, hitRate: 1 });
    for (let round = 0; round < 10; round += 1) pool.acquire(3840, 'test').release();
    const held = pool.acquire(3840, 'test');
    expect(pool.statistics).toEqual({
      totalSlots: 16,
      availableSlots: 15,
      bytesAllocated: 65_536,
      created: 16,
      reused: 10,
      hitRate: 10 / 11,
      cleanups: 0,
    });
    held.release();
    pool.close();
  });

  it('asks for slabs through the given allocator', () => {
    const asked: number[] = [];
    const pool = new ChunkPool({
      allocate: (bytes) => {
        asked.push(bytes);
        return new ArrayBuffer(bytes);
      },
    });
    const chunks = Array.from({ length: 17 }, () => pool.acquire(3840, 'test'));
    expect(asked).toEqual([65_536, 65_536]);
    for (const chunk of chunks) chunk.release();
    pool.close();
  });

  it('returns a slab after five idle minutes, and not before', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const pool = new ChunkPool();
    const chunks = Array.from({ length: 20 }, () => pool.acquire(3840, 'test'));
    const kept = chunks.shift();
    for (const chunk of chunks) chunk.release();
    vi.advanceTimersByTime(4 * 60_000);
    expect(pool.statistics).toMatchObject({ totalSlots: 32, cleanups: 0 });
    vi.advanceTimersByTime(2 * 60_000);
    // The first slab has a chunk in use and stays.
    expect(pool.statistics).toMatchObject({ totalSlots: 16, availableSlots: 15, cleanups: 1 });
    kept?.release();
    pool.close();
  });

  it('soon returns what is idle beyond 32 MiB, of all sizes together', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const pool = new ChunkPool();
    const kept = pool.acquire(500_000, 'test');
    for (const payloadBytes of [500_000, 1_000_000, 2_000_000]) {
      const chunks = Array.from({ length: 20 }, () => pool.acquire(payloadBytes, 'test'));
      for (const chunk of chunks) chunk.release();
    }
    const before = pool.statistics.bytesAllocated;
    expect(before).toBeGreaterThan(64 * 1024 * 1024);
    vi.advanceTimersByTime(1000);
    expect(pool.statistics.bytesAllocated).toBe(before);
    vi.advanceTimersByTime(14_000);
    expect(pool.statistics.bytesAllocated).toBeLessThanOrEqual(33 * 1024 * 1024);
    expect(pool.statistics.bytesAllocated).toBeGreaterThan(28 * 1024 * 1024);
    expect(kept.writable.length).toBeGreaterThanOrEqual(500_000);
    kept.release();
    pool.close();
  });

  it('gives the memory itself back, without a collection', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { allocateSlab, releaseSlab } = sendingAddon();
    const pool = new ChunkPool({ allocate: allocateSlab, release: releaseSlab });
    const chunks = Array.from({ length: 100 }, () => pool.acquire(1_000_000, 'test'));
    const memories = chunks.map(({ writable }) => writable.fill(1).buffer);
    const residentBefore = process.memoryUsage.rss();
    for (const chunk of chunks) chunk.release();
    vi.advanceTimersByTime(15_000);
    vi.useRealTimers();
    await until(() => memories.filter(({ byteLength }) => byteLength > 0).length <= 32);
    await until(() => process.memoryUsage.rss() < residentBefore - 40 * 1024 * 1024);
    pool.close();
  });

  it('prefers the oldest slabs, so that others can drain', () => {
    const pool = new ChunkPool();
    const chunks = Array.from({ length: 32 }, () => pool.acquire(3840, 'test'));
    const firstMemory = chunks[0]?.writable.buffer;
    for (const chunk of chunks) chunk.release();
    const again = Array.from({ length: 16 }, () => pool.acquire(3840, 'test'));
    for (const chunk of again) {
      expect(chunk.writable.buffer).toBe(firstMemory);
      chunk.release();
    }
    pool.close();
  });

  it('names at its end who did not give a chunk back', () => {
    const pool = new ChunkPool();
    pool.acquire(10, 'a forgetful owner');
    expect(() => pool.close()).toThrow(/1 chunks were never released: .*a forgetful owner/);
  });

  it('refuses a chunk beyond its named limit', () => {
    const pool = new ChunkPool();
    expect(() => pool.acquire(largestSlotBytes, 'test')).toThrow(/no chunk may need/);
    pool.close();
  });
});
