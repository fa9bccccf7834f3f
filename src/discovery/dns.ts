import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type BaseAnswer,
  decode,
  encode,
  type Packet,
  type SrvAnswer,
  type TxtAnswer,
} from 'dns-packet';

/** The types of records that services are made of; nothing else is looked at. */
export type DnsRecord = Readonly<
  (BaseAnswer<'A' | 'AAAA' | 'PTR', string> | SrvAnswer | TxtAnswer) & { ttl: number }
>;

export interface DnsQuestion {
  readonly name: string;
  /** Of a record, or `ANY`. */
  readonly type: string;
}

/** The parts that multicast DNS uses, of class Internet only. */
export interface DnsMessage {
  readonly id: number;
  readonly isResponse: boolean;
  readonly questions: readonly DnsQuestion[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

const headerBytes = 12;
// A name takes one byte at least.
const minQuestionBytes = 5;
const minRecordBytes = 11;
/** Source: RFC 6762, 17. */
const maxDatagramBytes = 9000;
/** A byte from here on begins a pointer to a name, unless it is in the midst of data. */
const pointerBits = 0xc0;
/** Data look like that now and then. */
const maxPointersToPointers = 127;
/** What fits in one Ethernet frame with either version of IP. */
const maxMessageBytes = 1440;
/** Kind of request and error; nothing but 0 is for us. Source: RFC 6762, 18.3 and 18.11. */
const opcodeAndErrorFlags = 0x780f;
const ourTypes = new Set<string>(['A', 'AAAA', 'PTR', 'SRV', 'TXT']);
/** The library does not know the classes of a question that wants a direct answer. */
const ourClasses = new Set<string | undefined>(['IN', 'ANY', 'UNKNOWN_32769', 'UNKNOWN_33023']);

/** Nothing for what is broken or not meant for multicast DNS. */
export function decodeMessage(bytes: Buffer): DnsMessage | undefined {
  if (bytes.length < headerBytes || bytes.length > maxDatagramBytes) return undefined;
  if (!hasRoomForItems(bytes) || hasPointerChains(bytes)) return undefined;
  try {
    const packet = decode(bytes);
    // Where data are cut the library reads on behind the end.
    if (!(decode.bytes <= bytes.length)) return undefined;
    if ((packet.flags ?? 0) & opcodeAndErrorFlags) return undefined;
    return {
      id: packet.id ?? 0,
      isResponse: packet.type === 'response',
      questions: (packet.questions ?? []).filter((question) => ourClasses.has(question.class)),
      answers: (packet.answers ?? []).filter(isOurs),
      authorities: (packet.authorities ?? []).filter(isOurs),
      additionals: (packet.additionals ?? []).filter(isOurs),
    };
  } catch {
    return undefined;
  }
}

/** The library believes the counts, and may read the same bytes as often as they say. */
function hasRoomForItems(bytes: Buffer): boolean {
  const [questions = 0, ...records] = [4, 6, 8, 10].map((offset) => bytes.readUInt16BE(offset));
  const recordCount = records.reduce((sum, count) => sum + count, 0);
  const minBytes = headerBytes + questions * minQuestionBytes + recordCount * minRecordBytes;
  return bytes.length >= minBytes;
}

/** The library follows pointers to pointers however many there are; no writer makes such names. */
function hasPointerChains(bytes: Buffer): boolean {
  let count = 0;
  for (let position = headerBytes; position < bytes.length - 1; position += 1) {
    if (bytes.readUInt8(position) < pointerBits) continue;
    const target = bytes.readUInt16BE(position) & 0x3fff;
    if ((bytes[target] ?? 0) >= pointerBits) count += 1;
  }
  return count > maxPointersToPointers;
}

function isOurs(record: Answer): record is Answer & DnsRecord {
  return ourTypes.has(record.type) && 'class' in record && ourClasses.has(record.class);
}

/** The bytes of a message that is small enough for one datagram by its making. */
export function encodeMessage(message: Partial<DnsMessage>): Buffer {
  const { id = 0, isResponse = false, questions = [], answers = [] } = message;
  const packet = {
    id,
    type: isResponse ? 'response' : 'query',
    // Source: RFC 6762, 18.4.
    flags: isResponse ? AUTHORITATIVE_ANSWER : 0,
    questions: questions.map(({ name, type }) => ({ name, type })),
    answers: [...answers],
    authorities: [...(message.authorities ?? [])],
    additionals: [...(message.additionals ?? [])],
  };
  // The types of the library leave out `ANY`.
  return encode(packet as Packet);
}

/** As many messages as it takes for datagrams that are never cut in pieces. */
export function encodeResponses(answers: readonly DnsRecord[]): Buffer[] {
  if (answers.length === 0) return [];
  const bytes = encodeMessage({ isResponse: true, answers });
  if (bytes.length <= maxMessageBytes || answers.length === 1) return [bytes];
  const half = Math.ceil(answers.length / 2);
  return [...encodeResponses(answers.slice(0, half)), ...encodeResponses(answers.slice(half))];
}

/** Adds the additional records only where they do not make the datagram too long. */
export function encodeWithAdditionals(message: Partial<DnsMessage>): Buffer {
  const bytes = encodeMessage(message);
  return bytes.length <= maxMessageBytes ? bytes : encodeMessage({ ...message, additionals: [] });
}

/** Names in the form in which those that mean the same are equal. */
export function nameKey(name: string): string {
  return name.toLowerCase();
}

/** Type and data as bytes: equal for equal records, and in the order of RFC 6762, 8.2. */
export function rankOf(record: DnsRecord): Buffer {
  const bytes = encodeMessage({ answers: [{ ...record, name: '.' }] });
  const type = bytes.subarray(headerBytes + 1, headerBytes + 3);
  return Buffer.concat([type, bytes.subarray(headerBytes + minRecordBytes)]);
}
