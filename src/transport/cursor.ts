import type { Chunk } from '../audio/chunk.ts';
import type { Connection } from './connection.ts';

/** What one session's audio did since it subscribed. */
export interface CursorCounters {
  sends: number;
  chunks: number;
  bytes: number;
  /** Chunks that the ring dropped before this session got them. */
  lostChunks: number;
  /** Ticks in which the socket was reserved by somebody else. */
  coordinationFallbacks: number;
}

/** The place of one session in the ring of its stream: the only audio state that a session has. */
export class Cursor {
  readonly connection: Connection;
  /** Spreads the sessions of a stream over the phases of a send interval. */
  readonly ordinal: number;
  /** Sequence of the next chunk to send. */
  sequence: number;
  /** Chunks that may be sent in this tick. */
  quota = 0;
  readonly counters: CursorCounters = {
    sends: 0,
    chunks: 0,
    bytes: 0,
    lostChunks: 0,
    coordinationFallbacks: 0,
  };
  #onTheWay: Chunk | undefined;

  constructor(connection: Connection, ordinal: number, sequence: number) {
    this.connection = connection;
    this.ordinal = ordinal;
    this.sequence = sequence;
  }

  /** Hands `audio`, which lies in `memory`, to the socket; the reservation is held. */
  send(audio: Buffer, memory: Chunk): void {
    if (!this.connection.writeAudio(audio, this.#written)) this.#onTheWay = memory.retain();
  }

  readonly #written = (): void => {
    const memory = this.#onTheWay;
    this.#onTheWay = undefined;
    memory?.release();
    this.connection.audioWritten();
  };
}
