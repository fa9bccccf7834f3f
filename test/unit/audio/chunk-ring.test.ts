import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { ChunkRing } from '../../../src/audio/chunk-ring.ts';

let pool: ChunkPool;
let ring: ChunkRing;

beforeEach(() => {
  pool = new ChunkPool({ verifySeals: true });
  ring = new ChunkRing();
});

afterEach(() => {
  ring.clear();
  expect(pool.isFull).toBe(true);
  pool.close();
});

function push(timestampUs: number, bytes = 4): void {
  const chunk = pool.acquire(bytes, 'test');
  chunk.payloadBytes = bytes;
  chunk.seal({ timestampUs, durationUs: 20_000 });
  ring.push(chunk);
}

describe('ChunkRing', () => {
  it('numbers chunks by a sequence that goes on after chunks were dropped', () => {
    for (let index = 0; index < 1000; index += 1) {
      push(index * 20_000);
      ring.dropBefore((index - 50) * 20_000);
    }
    expect(ring.head).toBe(1000);
    expect(ring.tail).toBe(949);
    for (let sequence = ring.tail; sequence < ring.head; sequence += 1) {
      expect(ring.at(sequence).timestampUs).toBe(sequence * 20_000);
    }
  });

  it('grows when more chunks are kept at once', () => {
    for (let index = 0; index < 500; index += 1) push(index);
    expect(ring.head - ring.tail).toBe(500);
    expect(ring.at(0).timestampUs).toBe(0);
    expect(ring.at(499).timestampUs).toBe(499);
  });

  it('finds the oldest chunk since a time', () => {
    for (let index = 0; index < 10; index += 1) push(index * 100);
    expect(ring.firstSince(-1)).toBe(0);
    expect(ring.firstSince(300)).toBe(3);
    expect(ring.firstSince(301)).toBe(4);
    expect(ring.firstSince(1000)).toBe(10);
  });

  it('sums the bytes of messages and finds how many fit, also after it grew and dropped some', () => {
    const sizes = Array.from({ length: 300 }, (_, index) => (index * 37) % 500);
    for (const [index, bytes] of sizes.entries()) push(index, bytes);
    ring.dropBefore(100);
    const bytesOf = (first: number, end: number) => {
      let sum = 0;
      for (let sequence = first; sequence < end; sequence += 1) {
        sum += ring.at(sequence).maxMessageBytes;
      }
      return sum;
    };
    for (const [first, end] of [
      [100, 100],
      [100, 101],
      [150, 299],
      [100, 300],
      [300, 300],
    ] as const) {
      expect(ring.bytesBetween(first, end)).toBe(bytesOf(first, end));
    }
    for (const bytes of [0, 47, 48, 49, 1000, 5000, 1e9]) {
      const end = ring.endWithin(120, bytes);
      expect(bytesOf(120, end)).toBeLessThanOrEqual(bytes);
      if (end < ring.head) expect(bytesOf(120, end + 1)).toBeGreaterThan(bytes);
    }
  });

  it('gives all chunks back when it is cleared, and keeps counting', () => {
    push(1);
    push(2);
    ring.clear();
    expect(pool.isFull).toBe(true);
    expect([ring.tail, ring.head]).toEqual([2, 2]);
    push(3);
    expect(ring.at(2).timestampUs).toBe(3);
  });

  it('refuses sequences that it does not hold, and chunks that are not sealed', () => {
    push(1);
    expect(() => ring.at(1)).toThrow(/sequence 1 is outside of the ring 0..1/);
    expect(() => ring.at(-1)).toThrow(/outside of the ring/);
    const open = pool.acquire(1, 'test');
    expect(() => ring.push(open)).toThrow(/published before it was sealed/);
    open.release();
  });
});
