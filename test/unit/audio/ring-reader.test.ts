import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { ChunkRing } from '../../../src/audio/chunk-ring.ts';
import { RingReader } from '../../../src/audio/ring-reader.ts';
import { turn } from '../../support/waiting.ts';

let pool: ChunkPool;
let ring: ChunkRing;
let pushed: number;
let calls: number;

beforeEach(() => {
  pool = new ChunkPool({ verifySeals: true });
  ring = new ChunkRing();
  [pushed, calls] = [0, 0];
});

afterEach(async () => {
  // What is to be told yet belongs to this test.
  await turn();
  ring.clear();
  expect(pool.isFull).toBe(true);
  pool.close();
});

/** A chunk whose time is its number. */
function push(): void {
  const chunk = pool.acquire(4, 'test');
  chunk.payloadBytes = 4;
  chunk.seal({ timestampUs: pushed, durationUs: 1 });
  ring.push(chunk);
  pushed += 1;
}

const open = (first = ring.head) => new RingReader(ring, first, () => (calls += 1));

/** The numbers of what there is to be taken, at most so many. */
function take(reader: RingReader, most = Number.POSITIVE_INFINITY): number[] {
  const taken: number[] = [];
  while (taken.length < most) {
    const chunk = reader.take();
    if (!chunk) break;
    taken.push(chunk.timestampUs);
    chunk.release();
  }
  return taken;
}

describe('a ring reader', () => {
  it('gets each chunk once, in order, from the one on with which it begins', () => {
    for (let count = 0; count < 10; count += 1) push();
    const reader = open(ring.firstSince(7));
    expect(take(reader)).toEqual([7, 8, 9]);
    expect(take(reader)).toEqual([]);
    push();
    expect(take(reader)).toEqual([10]);
    expect(reader.lostChunks).toBe(0);
  });

  it('counts what the ring has dropped before it was taken, and goes on behind it', () => {
    const reader = open();
    for (let count = 0; count < 10; count += 1) push();
    expect(take(reader, 2)).toEqual([0, 1]);
    ring.dropBefore(6);
    expect(take(reader, 1)).toEqual([6]);
    expect(reader.lostChunks).toBe(4);
    ring.clear();
    expect(take(reader)).toEqual([]);
    expect(reader.lostChunks).toBe(7);
  });

  it('keeps what it was given while the ring goes on', () => {
    const reader = open();
    push();
    const chunk = reader.take();
    ring.clear();
    expect(chunk?.tcpMessage.length).toBeGreaterThan(0);
    chunk?.release();
  });

  it('is told once that there is more, when it has found nothing, and never after its end', async () => {
    const reader = open();
    push();
    await turn();
    expect(calls).toBe(0);
    expect(take(reader)).toEqual([0]);
    push();
    push();
    await turn();
    expect(calls).toBe(1);
    push();
    await turn();
    expect(calls).toBe(1);
    expect(take(reader)).toEqual([1, 2, 3]);
    reader.close();
    push();
    await turn();
    expect(calls).toBe(1);
  });

  it('is not told any more when another one has closed it meanwhile', async () => {
    const reader = open();
    const other = new RingReader(ring, ring.head, () => reader.close());
    other.take();
    reader.take();
    push();
    await turn();
    expect(calls).toBe(0);
  });

  it('accounts for every chunk, whatever the ring and its readers do', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 1, max: 200 }) }),
      fc.record({ take: fc.nat(100) }),
      fc.record({ keep: fc.nat(100) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const first = ring.head;
        const reader = open();
        const taken: number[] = [];
        for (const action of steps) {
          if ('push' in action) for (let count = 0; count < action.push; count += 1) push();
          else if ('take' in action) taken.push(...take(reader, action.take));
          else ring.dropBefore(pushed - action.keep);
        }
        taken.push(...take(reader));
        reader.close();
        expect(taken).toEqual([...new Set(taken)].sort((a, b) => a - b));
        expect(taken.length + reader.lostChunks).toBe(ring.head - first);
      }),
    );
  });
});
