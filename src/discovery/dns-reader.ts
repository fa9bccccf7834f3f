import {
  classAny,
  classInternet,
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  headerBytes,
  opcodeAndErrorFlags,
  pointerBits,
  responseFlag,
  topBitOfClass,
  typePtr,
  typeSrv,
} from './dns-message.ts';
import { type DnsName, labelOf, nameBytes } from './dns-name.ts';

/** Source: RFC 1035, 2.3.4. */
const maxNameBytes = 255;
/** Source: RFC 6762, 17. */
const maxDatagramBytes = 9000;
const srvHeaderBytes = 6;
/** As many as a name may have labels: chains of pointers must not cost more than that. */
const maxPointers = 127;

/** Nothing for what is broken or not meant for multicast DNS. */
export function decodeMessage(bytes: Buffer): DnsMessage | undefined {
  if (bytes.length < headerBytes || bytes.length > maxDatagramBytes) return undefined;
  const flags = bytes.readUInt16BE(2);
  if (flags & opcodeAndErrorFlags) return undefined;
  const counts = [4, 6, 8, 10].map((offset) => bytes.readUInt16BE(offset));
  const reader = new Reader(bytes);
  try {
    const [questions = 0, answers = 0, authorities = 0, additionals = 0] = counts;
    return {
      id: bytes.readUInt16BE(0),
      isResponse: (flags & responseFlag) !== 0,
      questions: readAll(questions, () => reader.question()),
      answers: readAll(answers, () => reader.record()),
      authorities: readAll(authorities, () => reader.record()),
      additionals: readAll(additionals, () => reader.record()),
    };
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

/** Every item takes bytes of the message, so a count that lies ends the reading soon. */
function readAll<Item>(count: number, read: () => Item | undefined): Item[] {
  const items: Item[] = [];
  for (let index = 0; index < count; index += 1) {
    const item = read();
    if (item !== undefined) items.push(item);
  }
  return items;
}

/** Throws a `RangeError` where the message ends too soon, as the methods of `Buffer` do. */
class Reader {
  readonly #bytes: Buffer;
  #position = headerBytes;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  question(): DnsQuestion | undefined {
    const name = this.#name();
    const type = this.#uint16();
    return isOurs(this.#uint16()) ? { name, type } : undefined;
  }

  record(): DnsRecord | undefined {
    const name = this.#name();
    const type = this.#uint16();
    const classAndBit = this.#uint16();
    const ttlSeconds = this.#bytes.readUInt32BE(this.#position);
    this.#position += 4;
    const end = this.#uint16() + this.#position;
    if (end > this.#bytes.length) throw new RangeError('the data of a record are cut');
    const data = this.#data(type, end);
    this.#position = end;
    if (!isOurs(classAndBit)) return undefined;
    return { name, type, ttlSeconds, isUnique: (classAndBit & topBitOfClass) !== 0, data };
  }

  #data(type: number, end: number): Buffer {
    const start = this.#position;
    if (type === typePtr) return nameBytes(this.#name());
    if (type === typeSrv) {
      this.#position += srvHeaderBytes;
      const target = nameBytes(this.#name());
      return Buffer.concat([this.#bytes.subarray(start, start + srvHeaderBytes), target]);
    }
    return this.#bytes.subarray(start, end);
  }

  #uint16(): number {
    const value = this.#bytes.readUInt16BE(this.#position);
    this.#position += 2;
    return value;
  }

  #name(): DnsName {
    const labels: string[] = [];
    let position = this.#position;
    let length = 0;
    let afterPointer: number | undefined;
    let pointers = 0;
    // Pointers lead only to the front, so they come to an end.
    let limit = position;
    for (;;) {
      const size = this.#bytes.readUInt8(position);
      if (size === 0) break;
      if ((size & pointerBits) === pointerBits) {
        const target = this.#bytes.readUInt16BE(position) & 0x3fff;
        afterPointer ??= position + 2;
        pointers += 1;
        if (target >= limit || pointers > maxPointers)
          throw new RangeError('pointers lead nowhere');
        limit = target;
        position = target;
        continue;
      }
      const end = position + 1 + size;
      length += 1 + size;
      if (size & pointerBits || length > maxNameBytes || end > this.#bytes.length) {
        throw new RangeError('a label is too long');
      }
      labels.push(labelOf(this.#bytes.toString('utf8', position + 1, end)));
      position = end;
    }
    this.#position = afterPointer ?? position + 1;
    return labels.join('.');
  }
}

function isOurs(classAndBit: number): boolean {
  const value = classAndBit & ~topBitOfClass;
  return value === classInternet || value === classAny;
}
