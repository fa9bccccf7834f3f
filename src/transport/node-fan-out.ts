import type { Chunk } from '../audio/chunk.ts';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { ChunkRing } from '../audio/chunk-ring.ts';
import type { Cursor } from './cursor.ts';
import type { FanOut } from './fan-out.ts';

/** A quota is always smaller than this: see `Broadcast`. */
const maxQuotaChunks = 1024;

/** Bytes that one or more sessions get, and the chunk in whose memory they lie. */
interface Batch {
  readonly bytes: Buffer;
  readonly memory: Chunk;
}

/**
 * The fan-out in plain JavaScript: one `socket.write` per due session.
 *
 * Sessions of one phase stand at the same place of the ring, so what they get is laid together
 * once per tick in pooled memory and shared: a second write per session would double the cost.
 */
export class NodeFanOut implements FanOut {
  readonly #pool: ChunkPool;
  /** The batches of the current tick, by first sequence and number of chunks. */
  readonly #batches = new Map<number, Batch>();

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  deliver(ring: ChunkRing, cursors: readonly Cursor[]): void {
    for (const cursor of cursors) {
      const count = Math.min(cursor.quota, ring.head - cursor.sequence);
      if (count <= 0) continue;
      if (cursor.connection.reservation.tryHold()) {
        this.#send(this.#batch(ring, cursor.sequence, count), cursor, count);
      } else {
        cursor.counters.coordinationFallbacks += 1;
      }
    }
    for (const { memory } of this.#batches.values()) memory.release();
    this.#batches.clear();
  }

  #send({ bytes, memory }: Batch, cursor: Cursor, count: number): void {
    cursor.send(bytes, memory);
    cursor.sequence += count;
    cursor.counters.sends += 1;
    cursor.counters.chunks += count;
    cursor.counters.bytes += bytes.length;
  }

  #batch(ring: ChunkRing, first: number, count: number): Batch {
    const key = first * maxQuotaChunks + count;
    let batch = this.#batches.get(key);
    if (!batch) {
      batch = count === 1 ? share(ring.at(first)) : this.#layTogether(ring, first, count);
      this.#batches.set(key, batch);
    }
    return batch;
  }

  #layTogether(ring: ChunkRing, first: number, count: number): Batch {
    const messages = Array.from({ length: count }, (_, index) => ring.at(first + index).tcpMessage);
    const bytes = messages.reduce((sum, message) => sum + message.length, 0);
    const memory = this.#pool.acquire(bytes, 'a batch of the fan-out');
    const target = memory.writable;
    let offset = 0;
    for (const message of messages) offset += message.copy(target, offset);
    memory.payloadBytes = bytes;
    return { bytes: memory.payload, memory };
  }
}

function share(chunk: Chunk): Batch {
  return { bytes: chunk.tcpMessage, memory: chunk.retain() };
}
