import { assert } from '../base/errors.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import { Chunk, headroomBytes, type Slot } from './chunk.ts';

const smallestSlotBytes = 1024;
/** Larger chunks than this are refused: no setting leads there. */
export const largestSlotBytes = 32 * 1024 * 1024;
export const largestPayloadBytes = largestSlotBytes - headroomBytes;
/** A slab holds as many slots as fit into this, at least one. */
const slabBytes = 64 * 1024;
const idleSlabMs = 5 * 60_000;
/** More than this is not kept for later: added and removed streams would hold memory that way. */
const maxIdleBytes = 32 * 1024 * 1024;
const idleCheckMs = 5000;
const giveBackSliceMs = 2;

export interface ChunkPoolStatistics {
  /** Slots that exist, and how many of them are free. */
  readonly totalSlots: number;
  readonly availableSlots: number;
  readonly bytesAllocated: number;
  /** Slots made since the start, by new slabs. */
  readonly created: number;
  /** Acquisitions served without new memory. */
  readonly reused: number;
  /** `reused` divided by all acquisitions, 0..1; 1 before the first. */
  readonly hitRate: number;
  /** Slabs given back after being idle. */
  readonly cleanups: number;
}

/**
 * Memory for all chunks: slabs cut into slots of 1 KiB, 2 KiB, 4 KiB … so that a long-running
 * server neither fragments nor produces garbage per chunk.
 *
 * Ownership: the pool owns the slabs; a `Chunk` is a counted lease on one slot.
 * Failure: `close` throws an `AssertionError` that names each chunk still held.
 */
export class ChunkPool {
  readonly #allocate: (bytes: number) => ArrayBuffer;
  readonly #release: ((memory: ArrayBuffer) => void) | undefined;
  readonly #verifySeals: boolean;
  readonly #classes = new Map<number, SizeClass>();
  readonly #idleTimer: NodeJS.Timeout;
  readonly #share = new LoopShare(giveBackSliceMs);
  #serial = 0;
  #misses = 0;
  #created = 0;
  #cleanups = 0;

  constructor(
    options: {
      /** Gives memory for one slab, page-aligned where the platform can. */
      readonly allocate?: (bytes: number) => ArrayBuffer;
      /** Gives memory of `allocate` back to the system at once; absent: the collector does, some time. */
      readonly release?: (memory: ArrayBuffer) => void;
      /** See `ChunkIdentity.verifySeal`. */
      readonly verifySeals?: boolean;
    } = {},
  ) {
    this.#allocate = options.allocate ?? ((bytes) => new ArrayBuffer(bytes));
    this.#release = options.release;
    this.#verifySeals = options.verifySeals ?? false;
    this.#idleTimer = setInterval(() => this.returnIdleSlabs(), idleCheckMs).unref();
  }

  /** Leases a slot with room for `payloadBytes`; `owner` is named when the chunk is misused. */
  acquire(payloadBytes: number, owner: string): Chunk {
    const slot = this.#classFor(headroomBytes + payloadBytes).take();
    this.#serial += 1;
    const identity = { serial: this.#serial, owner, verifySeal: this.#verifySeals };
    const chunk = new Chunk(slot, identity);
    slot.lease = chunk;
    return chunk;
  }

  /**
   * The chunk, for who changes it: a copy of it when another part has it, too.
   *
   * Ownership: takes over the reference to the chunk, and hands on that of the one it returns.
   */
  unshared(chunk: Chunk, owner: string): Chunk {
    if (!chunk.isShared) return chunk;
    const copy = this.acquire(chunk.payloadBytes, owner);
    copy.payloadBytes = chunk.payloadBytes;
    chunk.payload.copy(copy.writable);
    chunk.release();
    return copy;
  }

  get statistics(): ChunkPoolStatistics {
    const slabs = this.#slabs();
    const totalSlots = sum(slabs, (slab) => slab.slotCount);
    const reused = this.#serial - this.#misses;
    return {
      totalSlots,
      availableSlots: sum(slabs, (slab) => slab.freeSlots),
      bytesAllocated: sum(slabs, (slab) => slab.bytes),
      created: this.#created,
      reused,
      hitRate: this.#serial === 0 ? 1 : reused / this.#serial,
      cleanups: this.#cleanups,
    };
  }

  get isFull(): boolean {
    return this.#slabs().every((slab) => slab.freeSlots === slab.slotCount);
  }

  /** Gives back each slab of which no slot was used for five minutes, or sooner if many are idle. */
  returnIdleSlabs(): void {
    const nowMs = performance.now();
    const idle = this.#slabs()
      .filter((slab) => slab.isIdleSince(nowMs - idleCheckMs))
      .sort((a, b) => a.lastUsedMs - b.lastUsedMs);
    let idleBytes = sum(idle, (slab) => slab.bytes);
    const dropped = new Set<Slab>();
    for (const slab of idle) {
      if (idleBytes <= maxIdleBytes && !slab.isIdleSince(nowMs - idleSlabMs)) break;
      dropped.add(slab);
      idleBytes -= slab.bytes;
    }
    for (const sizeClass of this.#classes.values()) sizeClass.drop(dropped);
    this.#cleanups += dropped.size;
    const release = this.#release;
    if (!release) return;
    // To unmap a megabyte takes a tenth of a millisecond.
    for (const { memory } of dropped) this.#share.soon(() => release(memory));
  }

  /** Ends the life of the pool; every chunk must have come home. */
  close(): void {
    clearInterval(this.#idleTimer);
    const leased = this.#slabs().flatMap((slab) => slab.leased);
    const some = leased.slice(0, 5).map(String).join(', ');
    assert(leased.length === 0, `${leased.length} chunks were never released: ${some}`);
    this.#classes.clear();
  }

  #slabs(): readonly Slab[] {
    return [...this.#classes.values()].flatMap((sizeClass) => sizeClass.slabs);
  }

  #classFor(bytes: number): SizeClass {
    // First, as the shift below is right for 30 bits only.
    assert(bytes <= largestSlotBytes, `no chunk may need ${bytes} bytes`);
    // The next power of two: 32 less the leading zeros of what is one less.
    const slotBytes =
      bytes <= smallestSlotBytes ? smallestSlotBytes : 1 << (32 - Math.clz32(bytes - 1));
    let sizeClass = this.#classes.get(slotBytes);
    if (!sizeClass) {
      sizeClass = new SizeClass(slotBytes, (bytes) => this.#newSlab(bytes, slotBytes));
      this.#classes.set(slotBytes, sizeClass);
    }
    return sizeClass;
  }

  #newSlab(bytes: number, slotBytes: number): Slab {
    const slab = new Slab(this.#allocate(bytes), slotBytes);
    this.#misses += 1;
    this.#created += slab.slotCount;
    return slab;
  }
}

/** All slabs whose slots have one size; the oldest slabs are used first, so that others drain. */
class SizeClass {
  slabs: Slab[] = [];
  readonly #newSlab: (bytes: number) => Slab;
  readonly #bytes: number;

  constructor(slotBytes: number, newSlab: (bytes: number) => Slab) {
    this.#bytes = Math.max(slabBytes, slotBytes);
    this.#newSlab = newSlab;
  }

  take(): PooledSlot {
    for (const slab of this.slabs) if (slab.freeSlots > 0) return slab.take();
    const slab = this.#newSlab(this.#bytes);
    this.slabs.push(slab);
    return slab.take();
  }

  drop(dropped: ReadonlySet<Slab>): void {
    if (dropped.size > 0) this.slabs = this.slabs.filter((slab) => !dropped.has(slab));
  }
}

class Slab {
  readonly memory: ArrayBuffer;
  readonly slotCount: number;
  readonly bytes: number;
  readonly #slots: readonly PooledSlot[];
  readonly #free: PooledSlot[];
  #lastUsedMs = performance.now();

  constructor(memory: ArrayBuffer, slotBytes: number) {
    this.memory = memory;
    this.bytes = memory.byteLength;
    this.slotCount = this.bytes / slotBytes;
    this.#slots = Array.from({ length: this.slotCount }, (_, index) => {
      return new PooledSlot(Buffer.from(memory, index * slotBytes, slotBytes), this);
    });
    // Taken from the end: neighbouring chunks lie next to each other.
    this.#free = [...this.#slots].reverse();
  }

  get freeSlots(): number {
    return this.#free.length;
  }

  get leased(): readonly Chunk[] {
    return this.#slots.flatMap(({ lease }) => lease ?? []);
  }

  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  isIdleSince(timeMs: number): boolean {
    return this.#free.length === this.slotCount && this.#lastUsedMs <= timeMs;
  }

  take(): PooledSlot {
    const slot = this.#free.pop();
    assert(slot !== undefined, 'a slab without a free slot was asked for one');
    return slot;
  }

  takeBack(slot: PooledSlot): void {
    this.#free.push(slot);
    if (this.#free.length === this.slotCount) this.#lastUsedMs = performance.now();
  }
}

class PooledSlot implements Slot {
  readonly memory: Buffer;
  readonly payloadArea: Buffer;
  /** The chunk that has the slot now. */
  lease: Chunk | undefined;
  readonly #slab: Slab;

  constructor(memory: Buffer, slab: Slab) {
    this.memory = memory;
    this.payloadArea = memory.subarray(headroomBytes);
    this.#slab = slab;
  }

  free(): void {
    this.lease = undefined;
    this.#slab.takeBack(this);
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
