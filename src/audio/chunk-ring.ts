import { AssertionError, assert } from '../errors.ts';
import type { Chunk } from './chunk.ts';

/** More chunks than any buffer setting needs: 10 ms chunks for about ten minutes. */
const maxChunks = 65_536;

/**
 * The recent sealed chunks of one stream, numbered by a sequence that never goes back.
 *
 * Ownership: holds one reference to each chunk until it drops it.
 */
export class ChunkRing {
  #slots: (Chunk | undefined)[] = new Array(64).fill(undefined);
  #tail = 0;
  #head = 0;

  /** Sequence of the oldest chunk held; equals `head` when the ring is empty. */
  get tail(): number {
    return this.#tail;
  }

  /** Sequence that the next chunk will get. */
  get head(): number {
    return this.#head;
  }

  /** Ownership: takes over the caller's reference. */
  push(chunk: Chunk): void {
    assert(chunk.isSealed, 'was published before it was sealed', chunk);
    if (this.#head - this.#tail === this.#slots.length) this.#grow();
    this.#slots[this.#head % this.#slots.length] = chunk;
    this.#head += 1;
  }

  at(sequence: number): Chunk {
    const chunk = this.#slots[sequence % this.#slots.length];
    if (sequence < this.#tail || sequence >= this.#head || !chunk) {
      const range = `${this.#tail}..${this.#head}`;
      throw new AssertionError('assertion', `sequence ${sequence} is outside of the ring ${range}`);
    }
    return chunk;
  }

  /** Sequence of the oldest chunk captured at `timestampUs` or later; `head` if there is none. */
  firstSince(timestampUs: number): number {
    let sequence = this.#head;
    while (sequence > this.#tail && this.at(sequence - 1).timestampUs >= timestampUs) sequence -= 1;
    return sequence;
  }

  dropBefore(timestampUs: number): void {
    while (this.#tail < this.#head && this.at(this.#tail).timestampUs < timestampUs) {
      this.#dropOldest();
    }
  }

  clear(): void {
    while (this.#tail < this.#head) this.#dropOldest();
  }

  #dropOldest(): void {
    const chunk = this.at(this.#tail);
    this.#slots[this.#tail % this.#slots.length] = undefined;
    this.#tail += 1;
    chunk.release();
  }

  #grow(): void {
    if (this.#slots.length === maxChunks) {
      this.#dropOldest();
      return;
    }
    const larger: (Chunk | undefined)[] = new Array(this.#slots.length * 2).fill(undefined);
    for (let sequence = this.#tail; sequence < this.#head; sequence += 1) {
      larger[sequence % larger.length] = this.at(sequence);
    }
    this.#slots = larger;
  }
}
