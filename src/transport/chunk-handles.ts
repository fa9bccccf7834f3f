import type { Chunk } from '../audio/chunk.ts';
import { assert } from '../base/errors.ts';

/** Numbers by which native code knows chunks. Ownership: retains each from `of` until `release`. */
export class ChunkHandles {
  readonly #handles = new Map<Chunk, number>();
  readonly #chunks: (Chunk | undefined)[] = [];
  readonly #free: number[] = [];

  /** The handle of a chunk; the chunk is retained when it gets one. */
  of(chunk: Chunk): number {
    const known = this.#handles.get(chunk);
    if (known !== undefined) return known;
    const handle = this.#free.pop() ?? this.#chunks.length;
    this.#handles.set(chunk, handle);
    this.#chunks[handle] = chunk.retain();
    return handle;
  }

  release(handle: number): void {
    const chunk = this.#chunks[handle];
    assert(chunk !== undefined, `native code released handle ${handle}, which nobody has`);
    this.#chunks[handle] = undefined;
    this.#handles.delete(chunk);
    this.#free.push(handle);
    chunk.release();
  }
}
