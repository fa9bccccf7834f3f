import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { ChunkRing } from '../../src/audio/chunk-ring.ts';

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

function push(timestampUs: number): void {
  const chunk = pool.acquire(4, 'test');
  chunk.payloadBytes = 4;
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
