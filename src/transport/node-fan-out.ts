import type { Chunk } from '../audio/chunk.ts';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { ChunkRing } from '../audio/chunk-ring.ts';
import type { Cursor } from './cursor.ts';
import type { FanOut } from './fan-out.ts';

/**
 * The fan-out in plain JavaScript: one `socket.write` per due session.
 *
 * Sessions of one phase stand at the same place of the ring, so what they get is laid together
 * once per tick in pooled memory and shared: a second write per session would double the cost.
 */
export class NodeFanOut implements FanOut {
  readonly name = 'node';
  readonly #pool: ChunkPool;
  /** The batches of the current tick, by first sequence and number of chunks. */
  readonly #batches = new Map<number, Chunk>();

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  deliver(ring: ChunkRing, due: readonly Cursor[]): void {
    for (const cursor of due) {
      const count = Math.min(cursor.quota, ring.head - cursor.sequence);
      if (count <= 0) continue;
      if (cursor.connection.reservation.tryHold()) {
        this.#send(ring, cursor, count);
      } else {
        cursor.counters.coordinationFallbacks += 1;
      }
    }
    for (const batch of this.#batches.values()) batch.release();
    this.#batches.clear();
  }

  #send(ring: ChunkRing, cursor: Cursor, count: number): void {
    const memory = count === 1 ? ring.at(cursor.sequence) : this.#batch(ring, cursor, count);
    const audio = count === 1 ? memory.tcpMessage : memory.payload;
    cursor.send(audio, memory);
    cursor.sequence += count;
    cursor.counters.sends += 1;
    cursor.counters.chunks += count;
    cursor.counters.bytes += audio.length;
  }

  #batch(ring: ChunkRing, cursor: Cursor, count: number): Chunk {
    const key = cursor.sequence * maxQuotaChunks + count;
    let batch = this.#batches.get(key);
    if (!batch) {
      batch = this.#layTogether(ring, cursor.sequence, count);
      this.#batches.set(key, batch);
    }
    return batch;
  }

  #layTogether(ring: ChunkRing, first: number, count: number): Chunk {
    let bytes = 0;
    for (let index = 0; index < count; index += 1)
      bytes += ring.at(first + index).tcpMessage.length;
    const batch = this.#pool.acquire(bytes, 'a batch of the fan-out');
    const target = batch.writable;
    let offset = 0;
    for (let index = 0; index < count; index += 1) {
      offset += ring.at(first + index).tcpMessage.copy(target, offset);
    }
    batch.payloadBytes = bytes;
    return batch;
  }
}

/** A quota is always smaller than this: see `Broadcast`. */
const maxQuotaChunks = 1024;
