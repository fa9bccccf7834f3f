import type { Chunk } from './chunk.ts';
import type { ChunkRing } from './chunk-ring.ts';

/** Takes the chunks of a ring in their order and at its own pace, for an output that is no player. */
export class RingReader {
  readonly #ring: ChunkRing;
  readonly #onReady: () => void;
  #next: number;
  #lostChunks = 0;

  /** Begins with the chunk numbered `first`; `onReady`: there is one again, after `take` gave none. */
  constructor(ring: ChunkRing, first: number, onReady: () => void) {
    this.#ring = ring;
    this.#next = first;
    this.#onReady = onReady;
  }

  /** Chunks that the ring dropped before they were taken. */
  get lostChunks(): number {
    return this.#lostChunks;
  }

  /** The next chunk, if there is one. Ownership: the caller gets a reference of its own. */
  take(): Chunk | undefined {
    const { tail, head } = this.#ring;
    if (this.#next < tail) {
      this.#lostChunks += tail - this.#next;
      this.#next = tail;
    }
    if (this.#next === head) {
      this.#ring.notify(this.#onReady);
      return undefined;
    }
    const chunk = this.#ring.at(this.#next).retain();
    this.#next += 1;
    return chunk;
  }

  /** Nothing is told any more. */
  close(): void {
    this.#ring.forget(this.#onReady);
  }
}
