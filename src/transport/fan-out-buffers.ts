import { type NativeFanOutAddon, nativeCounters } from '../base/native/native-addon.ts';
import type { Cursor } from './cursor.ts';

const orderNumbers = 3;
const maxReleasedPerCall = 1024;

/** What became of an order: the rows of `Status` in native/core/audio-socket.hpp. */
export const status = { sent: 0, cut: 1, reserved: 2, failed: 3 } as const;

/** The memory that the addon and JavaScript share for their calls, so that no call makes objects. */
export class FanOutBuffers {
  readonly #native: NativeFanOutAddon;
  /** Per chunk of the window: where its message begins, its bytes, its WebSocket header, its handle. */
  #addresses = new Float64Array(64);
  #sizes = new Uint32Array(2 * 64);
  #handles = new Uint32Array(64);
  /** Per session: socket, first chunk, count; and status, whole chunks, byte offset or error. */
  #orders = new Int32Array(orderNumbers * 64);
  #outcomes = new Int32Array(orderNumbers * 64);
  readonly released = new Uint32Array(maxReleasedPerCall);
  readonly counters = new Float64Array(nativeCounters.length);

  constructor(native: NativeFanOutAddon) {
    this.#native = native;
    this.#share();
  }

  /** Makes room for a call. */
  reserve(chunks: number, orders: number): void {
    const needsChunks = chunks > this.#handles.length;
    const needsOrders = orders * orderNumbers > this.#orders.length;
    if (needsChunks) {
      this.#addresses = new Float64Array(2 * chunks);
      this.#sizes = new Uint32Array(4 * chunks);
      this.#handles = new Uint32Array(2 * chunks);
    }
    if (needsOrders) {
      this.#orders = new Int32Array(2 * orders * orderNumbers);
      this.#outcomes = new Int32Array(2 * orders * orderNumbers);
    }
    if (needsChunks || needsOrders) this.#share();
  }

  setChunk(
    index: number,
    chunk: { address: number; messageBytes: number; frameHeaderBytes: number; handle: number },
  ): void {
    this.#addresses[index] = chunk.address;
    this.#sizes[2 * index] = chunk.messageBytes;
    this.#sizes[2 * index + 1] = chunk.frameHeaderBytes;
    this.#handles[index] = chunk.handle;
  }

  /** What a session is to get; the window begins with the chunk `windowStart`. */
  setOrder(index: number, { path, sequence, quota }: Cursor, windowStart: number): void {
    const row = index * orderNumbers;
    this.#orders[row] = path.socketId;
    this.#orders[row + 1] = sequence - windowStart;
    this.#orders[row + 2] = quota;
  }

  statusOf(index: number): number {
    return this.#outcomes[index * orderNumbers] as number;
  }

  /** Of an order that was sent or cut: chunks that went out whole. */
  wholeChunksOf(index: number): number {
    return this.#outcomes[index * orderNumbers + 1] as number;
  }

  /** Of an order that was cut: bytes of the next chunk that went out; else the error number. */
  detailOf(index: number): number {
    return this.#outcomes[index * orderNumbers + 2] as number;
  }

  #share(): void {
    this.#native.useBuffers({
      addresses: this.#addresses,
      sizes: this.#sizes,
      handles: this.#handles,
      orders: this.#orders,
      outcomes: this.#outcomes,
      released: this.released,
      counters: this.counters,
    });
  }
}
