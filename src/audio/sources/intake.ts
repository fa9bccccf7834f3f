import type { Socket } from 'node:net';
import type { ReadInto } from '../../adopt-socket.ts';
import { assert, type SourceError } from '../../errors.ts';
import type { SourceSink } from './stream-source.ts';

/**
 * Fills the target of the outstanding read from one socket after another, without a copy, and
 * tells the sink of its source what came of it.
 *
 * Node picks the memory for a socket's next read at the end of the previous one, before the next
 * target is known. So while no target is outstanding it gets a landing of one byte: the first byte
 * of each target is copied, all others are read in place. At most this byte is read ahead; the
 * rest stays in the kernel and holds the producer back.
 */
export class Intake {
  readonly #frameBytes: number;
  readonly #landing = new Uint8Array(1);
  #sink: SourceSink | undefined;
  #socket: Socket | undefined;
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  #landed = false;
  #connectionBytes = 0;

  /** Units: `frameBytes` of one frame as it arrives. */
  constructor(frameBytes: number) {
    this.#frameBytes = frameBytes;
  }

  /** True from `open` until `close` or `fail`: whether there is still somebody to be filled. */
  get isOpen(): boolean {
    return this.#sink !== undefined;
  }

  /** Bytes that the present connection has delivered. */
  get connectionBytes(): number {
    return this.#connectionBytes;
  }

  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  open(sink: SourceSink): void {
    this.#sink = sink;
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

  /** Closes the socket and voids what the target holds; the read stays outstanding. */
  disconnect(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#filledBytes = 0;
    this.#landed = false;
    this.#connectionBytes = 0;
  }

  /**
   * Runs `change`, which ends the present connection, and then says so if that broke a run of
   * samples: if the connection had delivered anything.
   */
  interrupt(reason: string, change = () => this.disconnect()): void {
    const breaksRun = this.#connectionBytes > 0;
    change();
    if (breaksRun) this.#sink?.interrupted(reason);
  }

  /** The producer has nothing more to give: what it gave last is filled up with silence. */
  end(reason: string, change = () => this.disconnect()): void {
    this.#padTail();
    this.interrupt(reason, change);
  }

  /** Moves the whole frames that the target holds to `into`; the rest of a cut one is to come. */
  takePartial(into: Uint8Array): number {
    const target = this.#target;
    if (!target) return 0;
    const cutBytes = this.#filledBytes % this.#frameBytes;
    const wholeBytes = this.#filledBytes - cutBytes;
    into.set(target.subarray(0, wholeBytes));
    target.copyWithin(0, wholeBytes, this.#filledBytes);
    this.#filledBytes = cutBytes;
    return wholeBytes;
  }

  /** Closes and says that no producer will come any more. */
  fail(error: SourceError): void {
    const sink = this.#sink;
    void this.close();
    sink?.failed(error);
  }

  /** Disconnects and forgets the outstanding read; resolves when the descriptor is closed. */
  async close(): Promise<void> {
    const socket = this.#socket;
    this.#sink = undefined;
    this.disconnect();
    this.#target = undefined;
    if (socket === undefined || socket.closed) return;
    await new Promise((resolve) => socket.once('close', resolve));
  }

  #padTail(): void {
    const target = this.#target;
    const wholeBytes = this.#filledBytes - (this.#filledBytes % this.#frameBytes);
    if (!target || wholeBytes === 0) return;
    target.fill(0, wholeBytes);
    this.#filledBytes = 0;
    this.#target = undefined;
    this.#sink?.filled();
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
    this.#sink?.filled();
  }
}
