import { describe, expect, it } from 'vitest';
import { type Chunk, headroomBytes } from '../../../src/audio/chunk.ts';
import { ChunkPool } from '../../../src/audio/chunk-pool.ts';

function withPool(test: (pool: ChunkPool) => void): void {
  const pool = new ChunkPool({ verifySeals: true });
  test(pool);
  expect(pool.isFull).toBe(true);
  pool.close();
}

function sealed(pool: ChunkPool, payload: Buffer): Chunk {
  const chunk = pool.acquire(payload.length, 'test');
  payload.copy(chunk.writable);
  chunk.payloadBytes = payload.length;
  chunk.seal({ timestampUs: 12_345_678, durationUs: 20_000 });
  return chunk;
}

describe('Chunk', () => {
  it('seals its payload into a complete WireChunk message', () => {
    withPool((pool) => {
      const chunk = sealed(pool, Buffer.from('abcd'));
      expect(chunk.tcpMessage.toString('hex')).toBe(
        '0200000000000c00000' +
          '04e460500' +
          '0000000000000000' +
          '10000000' +
          '0c0000004e460500' +
          '04000000' +
          '61626364',
      );
      expect(chunk.timestampUs).toBe(12_345_678);
      expect(chunk.durationUs).toBe(20_000);
      chunk.release();
    });
  });

  it.each([
    [10, 2],
    [1000, 4],
    [70_000, 10],
  ])('frames a payload of %i bytes for WebSocket with a header of %i bytes', (bytes, header) => {
    withPool((pool) => {
      const chunk = sealed(pool, Buffer.alloc(bytes, 7));
      const frame = chunk.webSocketFrame;
      const message = chunk.tcpMessage;
      expect(frame[0]).toBe(0x82);
      expect(frame.length).toBe(message.length + header);
      expect(frame.subarray(header).equals(message)).toBe(true);
      const length =
        header === 2
          ? frame[1]
          : header === 4
            ? frame.readUInt16BE(2)
            : Number(frame.readBigUInt64BE(2));
      expect(length).toBe(message.length);
      chunk.release();
    });
  });

  it('serves TCP and WebSocket from the same memory', () => {
    withPool((pool) => {
      const chunk = sealed(pool, Buffer.alloc(100, 1));
      expect(chunk.webSocketFrame.buffer).toBe(chunk.tcpMessage.buffer);
      expect(chunk.tcpMessage.buffer).toBe(chunk.payload.buffer);
      chunk.release();
    });
  });

  it('lives until its last reference is released', () => {
    withPool((pool) => {
      const chunk = sealed(pool, Buffer.from('x'));
      chunk.retain();
      chunk.release();
      expect(pool.isFull).toBe(false);
      expect(chunk.payload.toString()).toBe('x');
      chunk.release();
    });
  });

  it('says which chunk was released twice, even when its slot serves another one by now', () => {
    withPool((pool) => {
      const first = pool.acquire(10, 'the first owner');
      first.release();
      const second = pool.acquire(10, 'the second owner');
      expect(() => first.release()).toThrow(/chunk 1 .*the first owner.* was released twice/);
      second.release();
    });
  });

  it('refuses to be written, resized or sealed after the seal', () => {
    withPool((pool) => {
      const chunk = sealed(pool, Buffer.from('x'));
      expect(() => chunk.writable).toThrow(/was written after it was sealed/);
      expect(() => {
        chunk.payloadBytes = 0;
      }).toThrow(/was resized after it was sealed/);
      expect(() => chunk.seal({ timestampUs: 0, durationUs: 0 })).toThrow(/was sealed after/);
      chunk.release();
    });
  });

  it('finds out at the last release that somebody wrote after the seal', () => {
    const pool = new ChunkPool({ verifySeals: true });
    const chunk = pool.acquire(4, 'a careless writer');
    const view = chunk.writable;
    chunk.payloadBytes = 4;
    chunk.seal({ timestampUs: 0, durationUs: 0 });
    view[0] = 1;
    expect(() => chunk.release()).toThrow(/a careless writer.* was written after it was sealed/);
  });

  it('refuses every use after its last release', () => {
    withPool((pool) => {
      const chunk = sealed(pool, Buffer.from('x'));
      chunk.release();
      expect(() => chunk.retain()).toThrow(/was retained after its last release/);
      expect(() => chunk.payload).toThrow(/was read after its last release/);
    });
  });

  it('refuses to be sent before it is sealed and to hold more than its slot', () => {
    withPool((pool) => {
      const chunk = pool.acquire(10, 'test');
      expect(() => chunk.tcpMessage).toThrow(/sent before it was sealed/);
      expect(chunk.capacityBytes).toBe(1024 - headroomBytes);
      expect(() => {
        chunk.payloadBytes = 1024;
      }).toThrow(/was filled beyond its capacity/);
      chunk.release();
    });
  });
});
