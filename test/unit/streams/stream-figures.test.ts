import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Chunk } from '../../../src/audio/chunk.ts';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';
import { EncodeTurns } from '../../../src/audio/encode-turns.ts';
import { Encoding } from '../../../src/audio/encoding.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { Broadcast } from '../../../src/transport/broadcast.ts';
import { NodeFanOut } from '../../../src/transport/node-fan-out.ts';
import { stall } from '../../support/fake-time.ts';

const format = SampleFormat.parse('48000:16:2');
const chunkBytes = 3840;

const turns = new EncodeTurns();
let pool: ChunkPool;

beforeEach(() => {
  pool = new ChunkPool({ verifySeals: true });
});

afterEach(() => {
  expect(pool.isFull).toBe(true);
  pool.close();
});

describe('the figures of an encoding', () => {
  async function openWith(publish: (chunk: Chunk) => void): Promise<Encoding> {
    const onFailure = (error: unknown) => {
      throw error;
    };
    return Encoding.open({
      codec: 'flac',
      format,
      pastMs: 1000,
      bufferMs: 1150,
      pool,
      turns,
      publish,
      onFailure,
    });
  }

  function take(encoding: Encoding, timestampUs: number): void {
    const chunk = pool.acquire(chunkBytes, 'test');
    chunk.writable.fill(0);
    chunk.payloadBytes = chunkBytes;
    encoding.take({ chunk, timestampUs, startsRun: timestampUs === 0, stretch: 1 });
  }

  it('count what came out and the time in the encoder, not what became of the chunks', async () => {
    let published = 0;
    let publishingUs = 0;
    const encoding = await openWith((chunk) => {
      const startMs = performance.now();
      chunk.release();
      stall(10);
      published += 1;
      publishingUs += (performance.now() - startMs) * 1000;
    });
    take(encoding, 0);
    expect(encoding.figures).toEqual({ encodedChunks: 0, encodeUs: 0, droppedChunks: 0 });
    const startMs = performance.now();
    encoding.activate();
    for (let index = 1; index < 10; index += 1) take(encoding, index * 20_000);
    encoding.flush();
    const wholeUs = (performance.now() - startMs) * 1000;
    expect(encoding.figures.encodedChunks).toBe(published);
    expect(encoding.figures.encodeUs).toBeGreaterThan(0);
    expect(encoding.figures.encodeUs).toBeLessThanOrEqual(wholeUs - publishingUs);
    encoding.close();
  });

  it('stand still while nobody listens', async () => {
    const encoding = await openWith((chunk) => chunk.release());
    for (let index = 0; index < 10; index += 1) take(encoding, index * 20_000);
    expect(encoding.figures).toEqual({ encodedChunks: 0, encodeUs: 0, droppedChunks: 0 });
    encoding.close();
  });
});

describe('the figures of a broadcast', () => {
  it('are the age of the newest chunk, and the greatest of the last minute for everybody who asks', () => {
    let nowUs = 1_000_000;
    const broadcast = new Broadcast(
      new NodeFanOut(pool),
      { nowUs: () => nowUs },
      { bufferMs: 1000, sendIntervalMs: 0, instantStart: true, burstBytes: 1_000_000 },
    );
    const publish = (ageUs: number) => {
      nowUs += 20_000;
      const chunk = pool.acquire(chunkBytes, 'test');
      chunk.payloadBytes = chunkBytes;
      chunk.seal({ timestampUs: nowUs - ageUs, durationUs: 20_000 });
      broadcast.publish(chunk);
    };
    const ages = () => [broadcast.chunkAgeUs, broadcast.maxChunkAgeUs];
    expect(ages()).toEqual([0, 0]);
    for (const ageUs of [20_000, 70_000, 30_000]) publish(ageUs);
    expect([ages(), ages()]).toEqual([
      [30_000, 70_000],
      [30_000, 70_000],
    ]);
    nowUs += 59_000_000;
    publish(25_000);
    expect(ages()).toEqual([25_000, 70_000]);
    nowUs += 16_000_000;
    publish(20_000);
    expect(ages()).toEqual([20_000, 25_000]);
    nowUs += 1_000_000_000;
    expect(ages()).toEqual([20_000, 0]);
    broadcast.close();
  });
});
