import { ProtocolError } from '../base/errors.ts';
import { baseHeaderBytes, baseOffset, messageType, readTimeUs } from './layout.ts';

/** How a reader treats each type of message: bodies that no caller reads are skipped unbuffered. */
export type MessagePolicy = ReadonlyMap<
  number,
  { readonly maxBodyBytes: number; readonly isRead: boolean }
>;

/** Bodies up to this size are accepted by existing servers (protocol reference, 2.1). */
export const maxIgnoredBodyBytes = 1_000_000;
/** No client says more than a few hundred bytes in a Hello or a Client Info. */
export const maxJsonBodyBytes = 64 * 1024;
/** A Time body is 8 bytes; more is tolerated, as its content means nothing. */
export const maxTimeBodyBytes = 1024;

const ignored = { maxBodyBytes: maxIgnoredBodyBytes, isRead: false };

/** What a server accepts: the types that it does not know what to do with are ignored. */
export const serverPolicy: MessagePolicy = new Map([
  [messageType.base, ignored],
  [messageType.codecHeader, ignored],
  [messageType.wireChunk, ignored],
  [messageType.serverSettings, ignored],
  [messageType.time, { maxBodyBytes: maxTimeBodyBytes, isRead: true }],
  [messageType.hello, { maxBodyBytes: maxJsonBodyBytes, isRead: true }],
  [messageType.streamTags, ignored],
  [messageType.clientInfo, { maxBodyBytes: maxJsonBodyBytes, isRead: true }],
  [messageType.error, ignored],
]);

/** What a client accepts from a server. */
export const clientPolicy: MessagePolicy = new Map(
  Object.values(messageType).map((type) => [
    type,
    { maxBodyBytes: maxIgnoredBodyBytes, isRead: true },
  ]),
);

/** One received message. The reader re-uses the object: take what you need before you return. */
export interface IncomingMessage {
  readonly type: number;
  readonly id: number;
  readonly refersTo: number;
  /** The sender's clock when it sent, microseconds. */
  readonly sentUs: number;
  readonly receivedUs: number;
  /** Valid until the handler returns: a view into received bytes where possible. */
  readonly body: Buffer;
}

const noBody: Buffer = Buffer.alloc(0);

/**
 * Cuts messages out of a byte stream that may be split anywhere.
 *
 * A message that lies in one received buffer is handed on as a view; only what straddles two is
 * copied together, into memory that never exceeds the limit of its type.
 * Failure: `feed` throws a `ProtocolError`; the reader is then of no further use.
 */
export class MessageReader {
  readonly #policy: MessagePolicy;
  readonly #deliver: (message: IncomingMessage) => void;
  readonly #header = Buffer.alloc(baseHeaderBytes);
  #headerBytes = 0;
  #body = noBody;
  #bodyBytes = 0;
  #skipBytes = 0;
  readonly #message = { type: 0, id: 0, refersTo: 0, sentUs: 0, receivedUs: 0, body: noBody };
  /** Size of the body that is being read; −1 while a header is awaited. */
  #expectedBytes = -1;

  constructor(policy: MessagePolicy, deliver: (message: IncomingMessage) => void) {
    this.#policy = policy;
    this.#deliver = deliver;
  }

  /** Whether the bytes so far end within a message. */
  get isMidMessage(): boolean {
    return this.#headerBytes > 0 || this.#skipBytes > 0 || this.#expectedBytes >= 0;
  }

  feed(data: Buffer, receivedUs: number): void {
    let offset = 0;
    while (offset < data.length) {
      if (this.#skipBytes > 0) {
        const skipped = Math.min(this.#skipBytes, data.length - offset);
        this.#skipBytes -= skipped;
        offset += skipped;
      } else if (this.#expectedBytes < 0) {
        offset = this.#readHeader(data, offset);
      } else {
        offset = this.#readBody(data, offset);
      }
      if (this.#expectedBytes >= 0 && this.#bodyBytes === this.#expectedBytes) {
        this.#message.receivedUs = receivedUs;
        this.#finish();
      }
    }
  }

  #readHeader(data: Buffer, offset: number): number {
    if (this.#headerBytes === 0 && data.length - offset >= baseHeaderBytes) {
      this.#parseHeader(data, offset);
      return offset + baseHeaderBytes;
    }
    const end = Math.min(data.length, offset + baseHeaderBytes - this.#headerBytes);
    data.copy(this.#header, this.#headerBytes, offset, end);
    this.#headerBytes += end - offset;
    if (this.#headerBytes === baseHeaderBytes) {
      this.#headerBytes = 0;
      this.#parseHeader(this.#header, 0);
    }
    return end;
  }

  #parseHeader(source: Buffer, offset: number): void {
    const type = source.readUInt16LE(offset + baseOffset.type);
    const size = source.readUInt32LE(offset + baseOffset.size);
    const policy = this.#policy.get(type);
    if (!policy) {
      throw new ProtocolError('unknown-type', `message type ${type} does not exist`);
    }
    if (size > policy.maxBodyBytes) {
      throw new ProtocolError(
        'message-too-large',
        `a message of type ${type} with ${size} bytes is larger than the ${policy.maxBodyBytes} allowed`,
      );
    }
    if (!policy.isRead) {
      this.#skipBytes = size;
      return;
    }
    this.#message.type = type;
    this.#message.id = source.readUInt16LE(offset + baseOffset.id);
    this.#message.refersTo = source.readUInt16LE(offset + baseOffset.refersTo);
    this.#message.sentUs = readTimeUs(source, offset + baseOffset.sentSec);
    this.#expectedBytes = size;
    this.#bodyBytes = 0;
  }

  #readBody(data: Buffer, offset: number): number {
    const missing = this.#expectedBytes - this.#bodyBytes;
    const end = Math.min(data.length, offset + missing);
    if (this.#bodyBytes === 0 && end - offset === this.#expectedBytes) {
      this.#body = data.subarray(offset, end);
    } else {
      if (this.#bodyBytes === 0) this.#body = Buffer.allocUnsafe(this.#expectedBytes);
      data.copy(this.#body, this.#bodyBytes, offset, end);
    }
    this.#bodyBytes += end - offset;
    return end;
  }

  #finish(): void {
    this.#message.body = this.#expectedBytes === 0 ? noBody : this.#body;
    this.#expectedBytes = -1;
    this.#body = noBody;
    this.#deliver(this.#message);
    this.#message.body = noBody;
  }
}
