import type { Socket } from 'node:net';
import type { ReadInto } from '../../adopt-socket.ts';
import { assert } from '../../errors.ts';

/**
 * Fills the target of the outstanding read from one socket after another, without a copy.
 *
 * Node picks the memory for a socket's next read at the end of the previous one, before the next
 * target is known. So while no target is outstanding it gets a landing of one byte: the first byte
 * of each target is copied, all others are read in place. At most this byte is read ahead; the
 * rest stays in the kernel and holds the producer back.
 */
export class Intake {
  readonly #frameBytes: number;
  readonly #filled: () => void;
  readonly #landing = new Uint8Array(1);
  #socket: Socket | undefined;
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  #landed = false;
  #connectionBytes = 0;

  /** Units: `frameBytes` of one frame as it arrives. */
  constructor(options: { readonly frameBytes: number; readonly filled: () => void }) {
    this.#frameBytes = options.frameBytes;
    this.#filled = options.filled;
  }

  /** Bytes that the present connection has delivered. */
  get connectionBytes(): number {
    return this.#connectionBytes;
  }

  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  read(target: Uint8Array): void {
    assert(this.#target === undefined, 'a source was asked for a chunk while it filled another');
    assert(target.length > 0, 'a source was asked to fill an empty target');
    this.#target = target;
    this.#filledBytes = 0;
    if (this.#landed) this.#take(1, this.#landing);
    this.#socket?.resume();
  }

  /**
   * Lets go of the present socket and fills from the one that `open` makes. `ended` is told once
   * when that socket has nothing more to give, not when it was disconnected from here.
   */
  connect(open: (readInto: ReadInto) => Socket, ended: (error?: Error) => void): Socket {
    this.disconnect();
    const socket = open({
      buffer: () => this.#target?.subarray(this.#filledBytes) ?? this.#landing,
      callback: (bytes, buffer) => this.#arrived(bytes, buffer),
    });
    this.#socket = socket;
    const finish = (error?: Error) => {
      if (this.#socket === socket) ended(error);
    };
    socket.on('end', () => finish()).on('error', finish);
    if (this.#target) socket.resume();
    return socket;
  }

  /**
   * Closes the socket and voids what the target holds; the read stays outstanding.
   *
   * Returns whether a run of samples was broken: whether the connection had delivered anything.
   */
  disconnect(): boolean {
    const hadDelivered = this.#connectionBytes > 0;
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#filledBytes = 0;
    this.#landed = false;
    this.#connectionBytes = 0;
    return hadDelivered;
  }

  /** Drops the whole frames that the target holds; a cut frame stays, its rest is still to come. */
  discardPartial(): void {
    const cutBytes = this.#filledBytes % this.#frameBytes;
    this.#target?.copyWithin(0, this.#filledBytes - cutBytes, this.#filledBytes);
    this.#filledBytes = cutBytes;
  }

  /** Disconnects and forgets the outstanding read; resolves when the descriptor is closed. */
  async close(): Promise<void> {
    const socket = this.#socket;
    this.disconnect();
    this.#target = undefined;
    if (socket === undefined || socket.closed) return;
    await new Promise((resolve) => socket.once('close', resolve));
  }

  #arrived(bytes: number, buffer: Uint8Array): boolean {
    this.#connectionBytes += bytes;
    if (this.#target === undefined) {
      this.#landed = true;
      return false;
    }
    this.#take(bytes, buffer);
    return this.#target !== undefined;
  }

  #take(bytes: number, buffer: Uint8Array): void {
    const target = this.#target;
    assert(target !== undefined, 'bytes were taken without a target');
    this.#landed = false;
    // Bytes lie elsewhere after the landing, and when whole frames were discarded meanwhile.
    const inPlace =
      buffer.buffer === target.buffer &&
      buffer.byteOffset === target.byteOffset + this.#filledBytes;
    if (!inPlace) target.set(buffer.subarray(0, bytes), this.#filledBytes);
    this.#filledBytes += bytes;
    if (this.#filledBytes < target.length) return;
    this.#target = undefined;
    this.#filled();
  }
}
