import { AssertionError, assert } from '../base/errors.ts';
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
  /** Beside each slot: the bytes of all messages before that chunk, since the ring began. */
  #bytesBefore: number[] = new Array(64).fill(0);
  #tail = 0;
  #head = 0;
  #bytes = 0;
  /** What to call after the next chunk, in a turn of its own, so that it delays no player. */
  readonly #waiting = new Set<() => void>();
  #telling: NodeJS.Immediate | undefined;

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
    const slot = this.#head % this.#slots.length;
    this.#slots[slot] = chunk;
    this.#bytesBefore[slot] = this.#bytes;
    this.#bytes += chunk.maxMessageBytes;
    this.#head += 1;
    if (this.#waiting.size > 0) this.#telling ??= setImmediate(() => this.#tell());
  }

  /** Calls `onPush` once, in the turn of the event loop after the next chunk has come. */
  notify(onPush: () => void): void {
    this.#waiting.add(onPush);
  }

  forget(onPush: () => void): void {
    this.#waiting.delete(onPush);
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
    return this.#firstWhere((sequence) => this.at(sequence).timestampUs >= timestampUs);
  }

  /** Bytes of the messages from `first` to before `end`, whatever the framing: the most they are. */
  bytesBetween(first: number, end: number): number {
    return this.#bytesUpTo(end) - this.#bytesUpTo(first);
  }

  /** The end of the most chunks from `first` on that have `bytes` together; `first` if none fits. */
  endWithin(first: number, bytes: number): number {
    const most = this.#bytesUpTo(first) + bytes;
    return this.#firstWhere((sequence) => this.#bytesUpTo(sequence + 1) > most, first);
  }

  dropBefore(timestampUs: number): void {
    while (this.#tail < this.#head && this.at(this.#tail).timestampUs < timestampUs) {
      this.#dropOldest();
    }
  }

  clear(): void {
    while (this.#tail < this.#head) this.#dropOldest();
  }

  /** By bisection: `holds` must be false up to a place from `first` on, and true from there on. */
  #firstWhere(holds: (sequence: number) => boolean, first = this.#tail): number {
    let low = first;
    let high = this.#head;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (holds(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #bytesUpTo(sequence: number): number {
    if (sequence === this.#head) return this.#bytes;
    return this.#bytesBefore[sequence % this.#bytesBefore.length] as number;
  }

  #tell(): void {
    this.#telling = undefined;
    // One that waits again meanwhile waits for another chunk.
    for (const onPush of [...this.#waiting]) if (this.#waiting.delete(onPush)) onPush();
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
    const slots: (Chunk | undefined)[] = new Array(this.#slots.length * 2).fill(undefined);
    const bytesBefore: number[] = new Array(slots.length).fill(0);
    for (let sequence = this.#tail; sequence < this.#head; sequence += 1) {
      slots[sequence % slots.length] = this.at(sequence);
      bytesBefore[sequence % slots.length] = this.#bytesUpTo(sequence);
    }
    this.#slots = slots;
    this.#bytesBefore = bytesBefore;
  }
}
