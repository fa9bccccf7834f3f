import {
  authoritativeFlag,
  classInternet,
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  headerBytes,
  pointerBits,
  responseFlag,
  topBitOfClass,
} from './dns-message.ts';
import { type DnsName, lengthAndText, nameKey, suffixesOf } from './dns-name.ts';

/** What fits in one Ethernet frame with either version of IP. */
const maxMessageBytes = 1440;
const maxPointer = 0x3fff;
const recordHeaderBytes = 10;

/** The bytes of a message that is small enough for one datagram by its making. */
export function encodeMessage(message: Partial<DnsMessage>): Buffer {
  const { id = 0, isResponse = false, questions = [] } = message;
  const sections = [message.answers ?? [], message.authorities ?? [], message.additionals ?? []];
  const writer = new Writer();
  writer.header([
    id,
    isResponse ? responseFlag | authoritativeFlag : 0,
    questions.length,
    ...sections.map((records) => records.length),
  ]);
  for (const question of questions) writer.question(question);
  for (const record of sections.flat()) writer.record(record);
  return writer.bytes();
}

/** As many messages as it takes for datagrams that are never cut in pieces. */
export function encodeResponses(answers: readonly DnsRecord[]): Buffer[] {
  const messages: Buffer[] = [];
  let rest = answers;
  while (rest.length > 0) {
    let count = rest.length;
    let bytes = encodeMessage({ isResponse: true, answers: rest });
    while (bytes.length > maxMessageBytes && count > 1) {
      count = Math.min(count - 1, Math.ceil((count * maxMessageBytes) / bytes.length));
      bytes = encodeMessage({ isResponse: true, answers: rest.slice(0, count) });
    }
    messages.push(bytes);
    rest = rest.slice(count);
  }
  return messages;
}

/** Adds the additional records only where they do not make the datagram too long. */
export function encodeWithAdditionals(message: Partial<DnsMessage>): Buffer {
  const bytes = encodeMessage(message);
  return bytes.length <= maxMessageBytes ? bytes : encodeMessage({ ...message, additionals: [] });
}

class Writer {
  readonly #pieces: Buffer[] = [];
  readonly #offsets = new Map<string, number>();
  #length = 0;

  header(fields: readonly number[]): void {
    const bytes = Buffer.alloc(headerBytes);
    for (const [index, field] of fields.entries()) bytes.writeUInt16BE(field, index * 2);
    this.#push(bytes);
  }

  question({ name, type }: DnsQuestion): void {
    this.#name(name);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt16BE(type, 0);
    bytes.writeUInt16BE(classInternet, 2);
    this.#push(bytes);
  }

  record({ name, type, ttlSeconds, isUnique, data }: DnsRecord): void {
    this.#name(name);
    const bytes = Buffer.alloc(recordHeaderBytes);
    bytes.writeUInt16BE(type, 0);
    bytes.writeUInt16BE(classInternet | (isUnique ? topBitOfClass : 0), 2);
    bytes.writeUInt32BE(ttlSeconds, 4);
    bytes.writeUInt16BE(data.length, 8);
    this.#push(bytes);
    this.#push(data);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** Points to an earlier place where the name, or the end of it, stands already. */
  #name(name: DnsName): void {
    for (const { label, suffix } of suffixesOf(name)) {
      const key = nameKey(suffix);
      const offset = this.#offsets.get(key);
      if (offset !== undefined) {
        this.#push(Buffer.of(pointerBits | (offset >> 8), offset & 0xff));
        return;
      }
      if (this.#length <= maxPointer) this.#offsets.set(key, this.#length);
      this.#push(lengthAndText(label));
    }
    this.#push(Buffer.of(0));
  }

  #push(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
  }
}
