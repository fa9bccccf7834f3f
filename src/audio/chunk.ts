import { crc32 } from 'node:zlib';
import { assert } from '../base/errors.ts';
import {
  baseHeaderBytes,
  baseOffset,
  messageType,
  wireChunkHeaderBytes,
  wireChunkOffset,
  writeTimeUs,
} from '../protocol/layout.ts';
import { maxFrameHeaderBytes, opcode, writeFrameHeader } from '../protocol/web-socket-frame.ts';

const messageOffset = maxFrameHeaderBytes;
const chunkHeaderOffset = messageOffset + baseHeaderBytes;

/** Bytes in front of the payload of each slot: WebSocket header, base header, chunk header. */
export const headroomBytes = chunkHeaderOffset + wireChunkHeaderBytes;

/** The piece of a slab that one chunk occupies for its lifetime. */
export interface Slot {
  readonly memory: Buffer;
  /** The view behind the headroom, made once: a view costs half as much as the whole lease. */
  readonly payloadArea: Buffer;
  /** Puts the slot back into its pool. */
  free(): void;
}

interface ChunkIdentity {
  readonly serial: number;
  /** Who asked for the chunk: named when it is misused or leaks. */
  readonly owner: string;
  /** Check at the last release that no part wrote after the seal: for tests, costs a checksum. */
  readonly verifySeal: boolean;
}

/**
 * One counted lease on a slot of pooled memory: first filled, then sealed, then only read.
 *
 * Shape: headroom for the message headers, then the payload; sealed once, the same bytes serve
 * every TCP and every WebSocket client.
 * Ownership: starts with one reference; a part that keeps a chunk retains it and releases it once.
 * Failure: misuse is our own bug and throws an `AssertionError` that names the chunk.
 */
export class Chunk {
  readonly #slot: Slot;
  readonly #identity: ChunkIdentity;
  #references = 1;
  #payloadBytes = 0;
  #timestampUs = 0;
  #durationUs = 0;
  #sealed = false;
  #checksum = 0;
  #tcpMessage: Buffer | undefined;
  #webSocketFrame: Buffer | undefined;

  constructor(slot: Slot, identity: ChunkIdentity) {
    this.#slot = slot;
    this.#identity = identity;
  }

  /** Payload bytes that fit into the slot. */
  get capacityBytes(): number {
    return this.#slot.memory.length - headroomBytes;
  }

  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  /** Says how much of the payload area is filled. */
  set payloadBytes(bytes: number) {
    this.#assertOpen('was resized after it was sealed');
    assert(bytes <= this.capacityBytes, 'was filled beyond its capacity', this);
    this.#payloadBytes = bytes;
  }

  /** The whole payload area, to be written before the seal. Make the view once, then use it. */
  get writable(): Buffer {
    this.#assertOpen('was written after it was sealed');
    return this.#slot.payloadArea;
  }

  /** The whole payload area, to be read at any time. Made once. */
  get readable(): Buffer {
    this.#assertAlive('was read after its last release');
    return this.#slot.payloadArea;
  }

  /** The filled payload, to be read at any time. */
  get payload(): Buffer {
    this.#assertAlive('was read after its last release');
    return this.#slot.memory.subarray(headroomBytes, headroomBytes + this.#payloadBytes);
  }

  /** Server time at which the first sample was captured, microseconds. */
  get timestampUs(): number {
    return this.#timestampUs;
  }

  /** How long the audio inside plays, microseconds. */
  get durationUs(): number {
    return this.#durationUs;
  }

  get isSealed(): boolean {
    return this.#sealed;
  }

  /** Another part may read it, or has sealed it. */
  get isShared(): boolean {
    return this.#references > 1 || this.#sealed;
  }

  /** The complete `WireChunk` message. */
  get tcpMessage(): Buffer {
    assert(this.#tcpMessage !== undefined, 'was sent before it was sealed', this);
    return this.#tcpMessage;
  }

  /** What the message has at most on the wire, whatever stands around it. */
  get maxMessageBytes(): number {
    return this.tcpMessage.length + maxFrameHeaderBytes;
  }

  /** The same message as one unmasked binary WebSocket frame. */
  get webSocketFrame(): Buffer {
    this.#webSocketFrame ??= this.#frameForWebSocket();
    return this.#webSocketFrame;
  }

  /** Writes all headers; from here on nothing in the slot changes until the last release. */
  seal(time: { timestampUs: number; durationUs: number }): void {
    this.#assertOpen('was sealed after it was sealed');
    const { timestampUs, durationUs } = time;
    const { memory } = this.#slot;
    const end = headroomBytes + this.#payloadBytes;
    memory.fill(0, messageOffset, chunkHeaderOffset);
    memory.writeUInt16LE(messageType.wireChunk, messageOffset + baseOffset.type);
    writeTimeUs(memory, messageOffset + baseOffset.sentSec, timestampUs);
    memory.writeUInt32LE(
      wireChunkHeaderBytes + this.#payloadBytes,
      messageOffset + baseOffset.size,
    );
    writeTimeUs(memory, chunkHeaderOffset + wireChunkOffset.sec, timestampUs);
    memory.writeUInt32LE(this.#payloadBytes, chunkHeaderOffset + wireChunkOffset.payloadBytes);
    this.#timestampUs = timestampUs;
    this.#durationUs = durationUs;
    this.#sealed = true;
    this.#tcpMessage = memory.subarray(messageOffset, end);
    if (this.#identity.verifySeal) this.#checksum = crc32(this.#tcpMessage);
  }

  retain(): this {
    this.#assertAlive('was retained after its last release');
    this.#references += 1;
    return this;
  }

  release(): void {
    assert(this.#references > 0, 'was released twice', this);
    this.#references -= 1;
    if (this.#references > 0) return;
    if (this.#sealed && this.#identity.verifySeal) {
      assert(crc32(this.tcpMessage) === this.#checksum, 'was written after it was sealed', this);
    }
    this.#slot.free();
  }

  toString(): string {
    const { serial, owner } = this.#identity;
    return `chunk ${serial} (${this.#slot.memory.length}-byte slot, acquired by ${owner})`;
  }

  #frameForWebSocket(): Buffer {
    const message = this.tcpMessage;
    const { memory } = this.#slot;
    const start = writeFrameHeader(memory, opcode.binary, message.length);
    return memory.subarray(start, messageOffset + message.length);
  }

  #assertAlive(promise: string): void {
    assert(this.#references > 0, promise, this);
  }

  #assertOpen(promise: string): void {
    this.#assertAlive('was changed after its last release');
    assert(!this.#sealed, promise, this);
  }
}
