import type { Chunk } from '../audio/chunk.ts';
import { type ChunkPool, largestPayloadBytes } from '../audio/chunk-pool.ts';
import type { ChunkRing } from '../audio/chunk-ring.ts';
import type { LoopShare } from '../base/time/loop-share.ts';
import { AudioPath } from './audio-path.ts';
import type { Connection } from './connection.ts';
import type { Cursor } from './cursor.ts';
import type { FanOut } from './fan-out.ts';
import type { Framing } from './link.ts';

/** A quota is always smaller than this: see `Broadcast`. */
const maxQuotaChunks = 1024;

/** Looking at the clock costs about as much as a hundredth of a send. */
const looksEvery = 8;

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
  readonly wantedSendBytes = 0;
  readonly #pool: ChunkPool;
  /** The batches of the current tick, by framing, first sequence and number of chunks. */
  readonly #batches = new Map<number, Batch>();

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  attach(connection: Connection): AudioPath {
    return new AudioPath(connection);
  }

  deliver(ring: ChunkRing, cursors: readonly Cursor[], share: LoopShare): boolean {
    let isDone = true;
    let looked = 0;
    for (const cursor of cursors) {
      const wanted = Math.min(cursor.quota, ring.head - cursor.sequence);
      if (wanted <= 0) continue;
      if (looked > 0 && looked % looksEvery === 0 && share.isOver) {
        isDone = false;
        break;
      }
      looked += 1;
      cursor.quota = 0;
      if (cursor.path.connection.reservation.tryHold()) {
        // A single chunk needs no further memory, however large it is.
        const fitting = ring.endWithin(cursor.sequence, largestPayloadBytes) - cursor.sequence;
        const count = Math.min(wanted, Math.max(1, fitting));
        this.#send(this.#batch(ring, cursor, count), cursor, count);
      } else {
        cursor.path.counters.coordinationFallbacks += 1;
      }
    }
    for (const { memory } of this.#batches.values()) memory.release();
    this.#batches.clear();
    return isDone;
  }

  async close(): Promise<void> {}

  #send({ bytes, memory }: Batch, cursor: Cursor, count: number): void {
    if (!cursor.write(bytes, memory)) cursor.path.counters.partialSends += 1;
    cursor.sequence += count;
    cursor.path.counters.chunks += count;
  }

  #batch(ring: ChunkRing, { path, sequence: first }: Cursor, count: number): Batch {
    const { framing } = path.connection;
    const place = first * maxQuotaChunks + count;
    const key = framing === 'websocket' ? -place : place;
    let batch = this.#batches.get(key);
    if (!batch) {
      batch =
        count === 1
          ? share(ring.at(first), framing)
          : this.#layTogether(chunksFrom(ring, first, count), framing);
      this.#batches.set(key, batch);
    }
    return batch;
  }

  #layTogether(chunks: readonly Chunk[], framing: Framing): Batch {
    const messages = chunks.map((chunk) => framed(chunk, framing));
    const bytes = messages.reduce((sum, message) => sum + message.length, 0);
    const memory = this.#pool.acquire(bytes, 'a batch of the fan-out');
    const target = memory.writable;
    let offset = 0;
    for (const message of messages) offset += message.copy(target, offset);
    memory.payloadBytes = bytes;
    return { bytes: memory.payload, memory };
  }
}

function share(chunk: Chunk, framing: Framing): Batch {
  return { bytes: framed(chunk, framing), memory: chunk.retain() };
}

function framed(chunk: Chunk, framing: Framing): Buffer {
  return framing === 'websocket' ? chunk.webSocketFrame : chunk.tcpMessage;
}

function chunksFrom(ring: ChunkRing, first: number, count: number): readonly Chunk[] {
  return Array.from({ length: count }, (_, index) => ring.at(first + index));
}
