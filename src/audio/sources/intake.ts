import type { Socket } from 'node:net';
import { assert, type SourceError } from '../../base/errors.ts';
import type { ReadInto } from '../../base/net/adopt-socket.ts';
import { noProperties, type StreamProperties, withFault } from '../stream-properties.ts';
import type { InputQueue, SourceSink } from './stream-source.ts';

/** The least that a kernel may keep of a producer, whatever the rate of its audio is. */
const minQueueBytes = 16_384;
/** What is read ahead at most where the system does not tell how much there is. */
const maxAheadBytes = 1_048_576;

interface IntakeOptions {
  /** Of one frame as it arrives. */
  readonly frameBytes: number;
  /** What the kernel is to keep at most, where it can be told. */
  readonly queueBytes: number;
  /** How much has to be seen of what has arrived and is not read yet. */
  readonly aheadBytes: number;
  readonly queue: InputQueue | undefined;
}

/**
 * Fills the target of the outstanding read from one socket after another, without a copy, and
 * tells the sink of its source what came of it.
 *
 * Node picks the memory for a socket's next read at the end of the previous one, before the next
 * target is known. So while no target is outstanding it gets a landing: what lands is copied, all
 * else is read in place. Where the system tells how much has arrived, nothing is read without a
 * target, the landing of the first byte of the next one is one byte long, and the rest stays in the
 * kernel and holds the producer back. Elsewhere it is as long as what has to be seen of it.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #landing: Buffer;
  readonly #oneByte = Buffer.alloc(1);
  #landedBytes = 0;
  #sink: SourceSink | undefined;
  #socket: Socket | undefined;
  #target: Uint8Array | undefined;
  #filledBytes = 0;
  #connectionBytes = 0;
  /** What is still to come of the present connection before its audio begins. */
  #skipBytes = 0;
  #capacityBytes = 0;
  #played: StreamProperties = noProperties;
  #fault: string | undefined;
  /** Why the producer of what lies in the landing ended; the present one waits until that is read. */
  #endReason: string | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
    const aheadBytes = Math.max(1, Math.min(options.aheadBytes, maxAheadBytes));
    this.#landing = Buffer.alloc(options.queue ? 1 : aheadBytes);
  }

  /** True from `open` until `close` or `fail`: whether there is still a sink to be filled. */
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

  /** What has arrived behind the target that was filled last; `undefined` when that is not known. */
  get backlogBytes(): number | undefined {
    const { queue } = this.#options;
    const readBytes = this.#landedBytes + (this.#target ? this.#filledBytes : 0);
    const unreadBytes = queue && this.#socket ? queue.unreadBytes(this.#socket) : 0;
    return unreadBytes === undefined ? undefined : unreadBytes + readBytes;
  }

  /** What fits behind the target before the producer is held back, at least. */
  get capacityBytes(): number {
    return this.#options.queue ? this.#capacityBytes : this.#landing.length;
  }

  /** Makes that at least `bytes`, where it can be, but no more than the kernel is to keep. */
  widen(bytes: number): void {
    const { queue, queueBytes } = this.#options;
    if (!queue || !this.#socket) return;
    const widened = queue.widen(this.#socket, Math.min(bytes, queueBytes));
    this.#capacityBytes = widened || this.#capacityBytes;
  }

  open(sink: SourceSink): void {
    this.#sink = sink;
  }

  read(target: Uint8Array): void {
    assert(this.#target === undefined, 'a source was asked for a chunk while it filled another');
    assert(target.length > 0, 'a source was asked to fill an empty target');
    this.#target = target;
    this.#filledBytes = 0;
    this.#takeLanded();
    this.#readDirectly();
    this.#goOn();
  }

  /**
   * Releases the present socket and fills from the one that `open` makes. `ended` is told once
   * when that socket has nothing more to give, not when it was disconnected from here. Of what comes
   * the first `skipBytes` are no audio.
   */
  connect(
    open: (readInto: ReadInto) => Socket,
    ended: (error?: Error) => void,
    skipBytes = 0,
  ): Socket {
    this.disconnect();
    this.#skipBytes = skipBytes;
    const socket = open({
      buffer: () => this.#memoryForNext(),
      callback: (bytes, buffer) => this.#arrived(bytes, buffer),
    });
    this.#socket = socket;
    const finish = (error?: Error) => {
      if (this.#socket === socket) ended(error);
    };
    socket.on('end', () => finish()).on('error', finish);
    if (socket.connecting) socket.once('connect', () => this.#limit(socket));
    else this.#limit(socket);
    this.#goOn();
    return socket;
  }

  /** Closes the socket and voids what the target holds; the read stays outstanding. */
  disconnect(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#connectionBytes = 0;
    if (this.#endReason !== undefined) return;
    this.#filledBytes = 0;
    this.#landedBytes = 0;
  }

  /**
   * Runs `change`, which ends the present connection, and then says so if that broke a run of
   * samples: if the connection had delivered anything.
   */
  interrupt(reason: string, change = () => this.disconnect()): void {
    const breaksRun = this.#connectionBytes > 0 || this.#endReason !== undefined;
    this.#endReason = undefined;
    change();
    if (breaksRun) this.#sink?.interrupted(reason);
  }

  /** The producer has nothing more to give: what it gave last is filled up with silence. */
  end(reason: string, change = () => this.disconnect()): void {
    if (this.#landedBytes > 0) {
      this.#endReason = reason;
      change();
      return;
    }
    this.#padTail();
    this.interrupt(reason, change);
  }

  /** Moves the whole frames that the target holds to `into`; the rest of a cut one is to come. */
  takePartial(into: Uint8Array): number {
    const target = this.#target;
    if (!target) return 0;
    const cutBytes = this.#filledBytes % this.#options.frameBytes;
    const wholeBytes = this.#filledBytes - cutBytes;
    into.set(target.subarray(0, wholeBytes));
    target.copyWithin(0, wholeBytes, this.#filledBytes);
    this.#filledBytes = cutBytes;
    return wholeBytes;
  }

  /** Tells what the producer plays. */
  tell(properties: StreamProperties): void {
    this.#played = properties;
    const fault = this.#fault;
    this.#sink?.properties(fault === undefined ? properties : withFault(properties, fault));
  }

  /** Tells beside it why there is no producer; `undefined` when there is one again. */
  tellFault(fault: string | undefined): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    this.tell(this.#played);
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
    this.#endReason = undefined;
    this.disconnect();
    this.#target = undefined;
    if (socket === undefined || socket.closed) return;
    await new Promise((resolve) => socket.once('close', resolve));
  }

  /** Also without a sink, up to the end of the landing. */
  get #readsAhead(): boolean {
    return !this.#options.queue && this.#landedBytes < this.#landing.length;
  }

  #limit(socket: Socket): void {
    const { queue, queueBytes } = this.#options;
    this.#capacityBytes = queue?.limit(socket, Math.max(minQueueBytes, queueBytes)) ?? 0;
  }

  #takeLanded(): void {
    if (this.#landedBytes === 0) return;
    const landed = this.#landing.subarray(0, this.#landedBytes);
    this.#landedBytes = 0;
    this.#accept(landed);
  }

  /** What is there already needs no turn of the event loop; the socket sees to the rest. */
  #readDirectly(): void {
    const { queue } = this.#options;
    const socket = this.#socket;
    const target = this.#target;
    if (!queue || !socket || !target || this.#connectionBytes === 0) return;
    const bytes = queue.read(socket, target.subarray(this.#filledBytes));
    this.#connectionBytes += bytes;
    this.#filledBytes += bytes;
    this.#finish(target);
  }

  /** Reads on, unless the end of another producer comes first. */
  #goOn(): void {
    const reason = this.#endReason;
    if (reason !== undefined && this.#landedBytes === 0) {
      this.#endReason = undefined;
      this.#padTail();
      this.#filledBytes = 0;
      this.#sink?.interrupted(reason);
    }
    if (this.#endReason === undefined && (this.#target || this.#readsAhead)) this.#socket?.resume();
  }

  #padTail(): void {
    const target = this.#target;
    const wholeBytes = this.#filledBytes - (this.#filledBytes % this.#options.frameBytes);
    if (!target || wholeBytes === 0) return;
    target.fill(0, wholeBytes);
    this.#filledBytes = 0;
    this.#target = undefined;
    this.#sink?.filled();
  }

  #memoryForNext(): Uint8Array {
    if (this.#skipBytes > 0) return this.#oneByte;
    if (this.#target) return this.#target.subarray(this.#filledBytes);
    // Node asks also when it is to stop reading, and will read into this when it goes on.
    const isFull = this.#landedBytes === this.#landing.length;
    return isFull ? this.#oneByte : this.#landing.subarray(this.#landedBytes);
  }

  /** Node stops reading when this is false. */
  #arrived(bytes: number, buffer: Uint8Array): boolean {
    if (this.#skipBytes > 0) this.#skipBytes -= bytes;
    else {
      this.#connectionBytes += bytes;
      this.#accept(buffer.subarray(0, bytes));
    }
    return this.#target !== undefined || this.#readsAhead;
  }

  /** Puts as much of `bytes` into the target as fits; the rest waits in the landing. */
  #accept(bytes: Uint8Array): void {
    const target = this.#target;
    const part = bytes.subarray(0, target ? target.length - this.#filledBytes : 0);
    if (target) putAt(target, this.#filledBytes, part);
    putAt(this.#landing, this.#landedBytes, bytes.subarray(part.length));
    this.#filledBytes += part.length;
    this.#landedBytes += bytes.length - part.length;
    if (target) this.#finish(target);
  }

  #finish(target: Uint8Array): void {
    if (this.#filledBytes < target.length) return;
    this.#target = undefined;
    this.#sink?.filled();
  }
}

/** What Node has read in place already stays there. */
function putAt(memory: Uint8Array, offset: number, bytes: Uint8Array): void {
  const isInPlace =
    bytes.buffer === memory.buffer && bytes.byteOffset === memory.byteOffset + offset;
  if (!isInPlace && bytes.length > 0) memory.set(bytes, offset);
}
