import type { Chunk } from '../audio/chunk.ts';
import { sameTimeUs, type VariantInput } from '../audio/variant-input.ts';
import type { Broadcast } from '../transport/broadcast.ts';
import type { Cursor } from '../transport/cursor.ts';

/** Own chunks that wait for those of the stream before them; more means that those will not come. */
const maxHeldChunks = 512;

/**
 * What some listeners of a stream get instead: its chunks, but its own where something is mixed.
 *
 * Before its own chunks the rings of both hold the same ones, so a session can change over wherever
 * it stands; into one that begins anew it comes as into another stream. Behind them its ring has none,
 * so that sessions leave it exactly there, to the stream or to the next variant, which may have begun
 * its own.
 */
export class Variant {
  readonly broadcast: Broadcast;
  readonly input: VariantInput;
  /** It begins in the past: who comes throws away what it holds of the stream. */
  readonly isAnew: boolean;
  #phase: 'before' | 'own' | 'behind';
  #held: Chunk[] = [];
  /** Sequence behind the last chunk of its own. */
  #joinedAt = Number.POSITIVE_INFINITY;
  #isEnding = false;
  #isClosed = false;

  constructor({ broadcast, input, isAnew }: Pick<Variant, 'broadcast' | 'input' | 'isAnew'>) {
    this.broadcast = broadcast;
    this.input = input;
    this.isAnew = isAnew;
    this.#phase = isAnew ? 'own' : 'before';
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** More can be mixed. */
  get isOpen(): boolean {
    return !this.#isEnding && !this.#isClosed && this.input.hasRoom;
  }

  /** Whether a session at this place would hear the same without it, or is not to hear it any more. */
  mayLeave({ sequence }: Cursor): boolean {
    return this.#isClosed || !this.#isEnding || sequence >= this.#joinedAt;
  }

  /** Nothing is mixed any more: its sessions leave as soon as it is the stream again. */
  end(): void {
    this.#isEnding = true;
  }

  /** It cannot go on: its sessions leave at once, and then it is to be closed. */
  abandon(): void {
    this.#joinedAt = Number.NEGATIVE_INFINITY;
    this.#isEnding = true;
    this.input.close('failed');
  }

  /** Looks whether all of its own has come, which no chunk of the stream may tell. */
  settle(): void {
    if (this.#phase === 'before' && !this.input.isMainBusy && this.#held.length > 0)
      this.#beginOwn();
    if (this.input.isDone) this.#end();
  }

  /** A chunk of the stream. Ownership: takes a reference of its own if it wants the chunk. */
  takeMain(chunk: Chunk): void {
    const { fromUs, untilUs } = this.input.span;
    const { timestampUs } = chunk;
    if (timestampUs < fromUs - sameTimeUs) {
      if (this.#phase === 'before') this.broadcast.publish(chunk.retain());
      return;
    }
    if (this.#phase === 'before') this.#beginOwn();
    if (timestampUs >= untilUs - sameTimeUs && this.input.isDone) this.#end();
  }

  /** A chunk of its own. Ownership: takes over the reference. */
  takeOwn(chunk: Chunk): void {
    const { fromUs, untilUs } = this.input.span;
    const { timestampUs } = chunk;
    const isWithin = timestampUs >= fromUs - sameTimeUs && timestampUs < untilUs - sameTimeUs;
    if (!isWithin || this.#phase === 'behind' || this.#isClosed) chunk.release();
    else if (this.#phase === 'own') this.broadcast.publish(chunk);
    else {
      this.#held.push(chunk);
      if (!this.input.isMainBusy || this.#held.length > maxHeldChunks) this.#beginOwn();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.input.close();
    for (const chunk of this.#held.splice(0)) chunk.release();
    this.broadcast.close();
  }

  #beginOwn(): void {
    this.#phase = 'own';
    for (const chunk of this.#held.splice(0)) this.broadcast.publish(chunk);
  }

  #end(): void {
    if (this.#phase === 'behind') return;
    if (this.#phase === 'before') this.#beginOwn();
    this.#phase = 'behind';
    this.#joinedAt = this.broadcast.ring.head;
  }
}
