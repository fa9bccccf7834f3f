import { getSystemErrorName } from 'node:util';
import type { Chunk } from '../audio/chunk.ts';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { ChunkRing } from '../audio/chunk-ring.ts';
import type { Logger } from '../base/logger.ts';
import type { FanOutAddon, NativeFanOutAddon } from '../base/native/native-addon.ts';
import { failureOf } from '../base/net/connection-failure.ts';
import type { LoopShare } from '../base/time/loop-share.ts';
import { AudioPath } from './audio-path.ts';
import { ChunkHandles } from './chunk-handles.ts';
import type { Connection } from './connection.ts';
import type { Cursor } from './cursor.ts';
import type { FanOut } from './fan-out.ts';
import { FanOutBuffers, status } from './fan-out-buffers.ts';
import { NativeSocket } from './native-socket.ts';
import { NodeFanOut } from './node-fan-out.ts';

/** More sessions than one call can serve within its slice of time. */
const maxOrders = 256;
/** Chunks that one call describes to the addon, whatever lies between the players that are due. */
const maxWindowChunks = 1024;
/** How often closed sockets with chunks in flight are looked after. */
const sweepMs = 100;
/** Closed sockets may hold up the end of the server for so long: twice what each of them gets. */
const maxCloseMs = 2000;

/** `zerocopy_min_bytes = auto`: from here on zero-copy is cheaper (test/bench/results.md, "break-even"). */
export const autoZeroCopyMinBytes = 24 * 1024;

export interface ZeroCopyOptions {
  /** Batches below this size are sent plainly. */
  readonly minBytes: number;
  /** `adaptive` stops on sockets where the kernel copies after all; `always` goes on. */
  readonly mode: 'adaptive' | 'always';
}

/**
 * The fan-out in C++: one call serves all sessions that are due, one `sendmsg` each, with
 * `MSG_ZEROCOPY` where that is switched on and pays. TCP players are read there as well, and told the
 * time.
 *
 * A message that the kernel takes only in part is handed to Node, which keeps the reservation until
 * all of it is out. Connections without a descriptor are served by a `NodeFanOut`.
 */
export class NativeFanOut implements FanOut {
  readonly wantedSendBytes: number;
  readonly #addon: FanOutAddon;
  readonly #native: NativeFanOutAddon;
  readonly #node: NodeFanOut;
  readonly #handles = new ChunkHandles();
  /** Those that the addon reads, by number. */
  readonly #readSockets = new Map<number, NativeSocket>();
  readonly #buffers: FanOutBuffers;
  /** Where each slab lies in memory. */
  readonly #slabAddresses = new WeakMap<ArrayBufferLike, number>();
  /** The cursors behind the orders of the current call, and those that Node serves. */
  readonly #due: Cursor[] = [];
  readonly #others: Cursor[] = [];
  readonly #logger: Logger | undefined;
  #isShortageTold = false;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor({
    pool,
    addon,
    zeroCopy,
    logger,
  }: {
    readonly pool: ChunkPool;
    readonly addon: FanOutAddon;
    /** Absent: all audio is sent plainly. */
    readonly zeroCopy?: ZeroCopyOptions | undefined;
    readonly logger?: Logger | undefined;
  }) {
    this.#logger = logger;
    this.wantedSendBytes = zeroCopy?.minBytes ?? 0;
    this.#addon = addon;
    this.#native = new addon.FanOut({
      zeroCopy: zeroCopy !== undefined,
      minBytes: zeroCopy?.minBytes ?? 0,
      always: zeroCopy?.mode === 'always',
      onReleased: () => this.#release(),
      onPlayer: (socket, kind, error, receivedUs, bytes) =>
        this.#readSockets.get(socket)?.take({ kind, error, receivedUs, bytes }),
    });
    this.#node = new NodeFanOut(pool);
    this.#buffers = new FanOutBuffers(this.#native);
  }

  attach(connection: Connection): AudioPath {
    const socket = NativeSocket.open(connection, {
      native: this.#native,
      readSockets: this.#readSockets,
      counters: this.#buffers.counters,
      onRemoved: (lingering) => this.#onRemoved(lingering),
      onShortage: (error) => this.#onShortage(error),
    });
    if (!socket) return this.#node.attach(connection);
    connection.use(socket);
    return new AudioPath(connection, socket);
  }

  deliver(ring: ChunkRing, cursors: readonly Cursor[], share: LoopShare): boolean {
    const areAllFound = this.#findDue(ring, cursors);
    const isDone = this.#due.length === 0 || this.#deliverNatively(ring, share);
    const isRestDone = this.#others.length === 0 || this.#node.deliver(ring, this.#others, share);
    this.#due.length = 0;
    this.#others.length = 0;
    return areAllFound && isDone && isRestDone;
  }

  async close(): Promise<void> {
    const endMs = performance.now() + maxCloseMs;
    while (this.#sweep() > 0) {
      if (performance.now() > endMs) {
        this.#native.abandon();
        this.#release();
      }
      await new Promise((resolve) => setTimeout(resolve, sweepMs / 10));
    }
    this.#native.close();
  }

  /** Returns whether these are all. */
  #findDue(ring: ChunkRing, cursors: readonly Cursor[]): boolean {
    let areAll = true;
    let first = ring.head;
    let end = ring.tail;
    for (const cursor of cursors) {
      const { sequence, path } = cursor;
      cursor.quota = Math.min(cursor.quota, ring.head - sequence);
      if (cursor.quota <= 0) continue;
      if (this.#due.length === maxOrders) return false;
      if (path.socketId < 0) {
        this.#others.push(cursor);
        continue;
      }
      const windowFirst = Math.min(first, sequence);
      const windowEnd = Math.max(end, sequence + cursor.quota);
      // Who stands far from the others has the next turn.
      const isWithin = this.#due.length === 0 || windowEnd - windowFirst <= maxWindowChunks;
      areAll &&= isWithin;
      if (!isWithin) continue;
      [first, end] = [windowFirst, windowEnd];
      this.#due.push(cursor);
    }
    return areAll;
  }

  #deliverNatively(ring: ChunkRing, share: LoopShare): boolean {
    const { first, count } = this.#describe(ring);
    const due = this.#due;
    for (let index = 0; index < due.length; index += 1) {
      this.#buffers.setOrder(index, due[index] as Cursor, first);
    }
    const served = this.#native.deliver(count, due.length, share.leftMs * 1000);
    const failed: [Connection, number][] = [];
    for (let index = 0; index < served; index += 1) this.#settle(ring, index, failed);
    this.#release();
    // Last, as the owner of a closed connection may do anything with the cursors.
    for (const [connection, error] of failed) {
      connection.close(failureOf({ code: getSystemErrorName(-error), syscall: 'write' }));
    }
    return served === due.length;
  }

  /** Tells the addon of all chunks that a player is to get: the window. */
  #describe(ring: ChunkRing): { first: number; count: number } {
    let first = ring.head;
    let end = ring.tail;
    let isFramed = false;
    for (const { sequence, quota, path } of this.#due) {
      first = Math.min(first, sequence);
      end = Math.max(end, sequence + quota);
      isFramed ||= path.connection.framing === 'websocket';
    }
    this.#buffers.reserve(end - first, this.#due.length);
    for (let sequence = first; sequence < end; sequence += 1) {
      this.#describeChunk(sequence - first, ring.at(sequence), isFramed);
    }
    return { first, count: end - first };
  }

  #describeChunk(index: number, chunk: Chunk, isFramed: boolean): void {
    const { tcpMessage } = chunk;
    this.#buffers.setChunk(index, {
      address: this.#addressOf(tcpMessage),
      messageBytes: tcpMessage.length,
      // Asking for the frame writes its header in front of the message.
      frameHeaderBytes: isFramed ? chunk.webSocketFrame.length - tcpMessage.length : 0,
      handle: this.#handles.of(chunk),
    });
  }

  #addressOf({ buffer, byteOffset }: Buffer): number {
    let address = this.#slabAddresses.get(buffer);
    if (address === undefined) {
      address = this.#addon.addressOf(buffer);
      this.#slabAddresses.set(buffer, address);
    }
    return address + byteOffset;
  }

  #settle(ring: ChunkRing, index: number, failed: [Connection, number][]): void {
    const cursor = this.#due[index] as Cursor;
    const { sequence } = cursor;
    cursor.quota = 0;
    switch (this.#buffers.statusOf(index)) {
      case status.sent:
        cursor.sequence += this.#buffers.wholeChunksOf(index);
        return;
      case status.cut:
        this.#finishByNode(cursor, {
          chunk: ring.at(sequence + this.#buffers.wholeChunksOf(index)),
          offset: this.#buffers.detailOf(index),
        });
        cursor.sequence += this.#buffers.wholeChunksOf(index) + 1;
        return;
      case status.failed:
        failed.push([cursor.path.connection, this.#buffers.detailOf(index)]);
    }
  }

  /** Hands the rest of a message to Node, which writes it as soon as the socket takes it. */
  #finishByNode(cursor: Cursor, { chunk, offset }: { chunk: Chunk; offset: number }): void {
    const { framing } = cursor.path.connection;
    const message = framing === 'websocket' ? chunk.webSocketFrame : chunk.tcpMessage;
    cursor.write(message.subarray(offset), chunk);
  }

  /** Gives back the chunks whose memory the kernel reads no more. */
  #release(): void {
    const { released } = this.#buffers;
    let count: number;
    do {
      count = this.#native.takeReleased();
      for (let index = 0; index < count; index += 1) this.#handles.release(released[index] ?? -1);
    } while (count === released.length);
  }

  /** Once: what follows from it holds for every session that comes while there are none. */
  #onShortage(error: number): void {
    if (this.#isShortageTold) return;
    this.#isShortageTold = true;
    this.#logger?.warn('no descriptor for native sending, some sessions are sent to by Node', {
      error: getSystemErrorName(-error),
      remedy: 'raise "ulimit -n", or LimitNOFILE of the service',
    });
  }

  #onRemoved(lingering: number): void {
    this.#release();
    if (lingering > 0) this.#sweepTimer ??= setInterval(() => this.#sweep(), sweepMs).unref();
  }

  /** Returns how many closed sockets still have chunks in flight. */
  #sweep(): number {
    const lingering = this.#native.sweep();
    this.#release();
    if (lingering === 0) {
      clearInterval(this.#sweepTimer);
      this.#sweepTimer = undefined;
    }
    return lingering;
  }
}
