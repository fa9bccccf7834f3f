import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type IncomingMessage,
  MessageReader,
  maxIgnoredBodyBytes,
  maxJsonBodyBytes,
  maxTimeBodyBytes,
  serverPolicy,
} from '../../../src/protocol/message-reader.ts';
import { encodeHello, encodeTimeRequest } from '../../../src/protocol/messages.ts';

interface Taken {
  readonly type: number;
  readonly id: number;
  readonly refersTo: number;
  readonly sentUs: number;
  readonly receivedUs: number;
  readonly body: string;
}

function reader(): { reader: MessageReader; taken: Taken[]; bodies: Buffer[] } {
  const taken: Taken[] = [];
  const bodies: Buffer[] = [];
  const take = (message: IncomingMessage) => {
    taken.push({ ...message, body: message.body.toString('hex') });
    bodies.push(message.body);
  };
  return { reader: new MessageReader(serverPolicy, take), taken, bodies };
}

function message(type: number, body: Buffer, size = body.length): Buffer {
  const header = Buffer.alloc(26);
  header.writeUInt16LE(type, 0);
  header.writeUInt16LE(0xbeef, 2);
  header.writeUInt16LE(0xcafe, 4);
  header.writeInt32LE(5, 6);
  header.writeInt32LE(7, 10);
  header.writeUInt32LE(size, 22);
  return Buffer.concat([header, body]);
}

const hello = encodeHello(
  {
    mac: 'm',
    hostName: 'h',
    version: '1',
    clientName: 'c',
    os: 'o',
    arch: 'a',
    instance: 1,
    id: 'i',
    protocolVersion: 2,
  },
  2,
);
const dialogue = Buffer.concat([hello, encodeTimeRequest(3), message(0, Buffer.alloc(9)), hello]);

describe('MessageReader', () => {
  it('reads all fields of a header', () => {
    const { reader: subject, taken } = reader();
    subject.feed(message(4, Buffer.from('0102030405060708', 'hex')), 42);
    expect(taken).toEqual([
      {
        type: 4,
        id: 0xbeef,
        refersTo: 0xcafe,
        sentUs: 5_000_007,
        receivedUs: 42,
        body: '0102030405060708',
      },
    ]);
  });

  it('finds the same messages wherever the bytes are split', () => {
    const { reader: whole, taken: expected } = reader();
    whole.feed(dialogue, 1);
    expect(expected.map(({ type }) => type)).toEqual([5, 4, 5]);
    for (let first = 0; first <= dialogue.length; first += 1) {
      const { reader: subject, taken } = reader();
      subject.feed(dialogue.subarray(0, first), 1);
      subject.feed(dialogue.subarray(first), 1);
      expect(taken).toEqual(expected);
    }
    const { reader: subject, taken } = reader();
    for (const byte of dialogue) subject.feed(Buffer.from([byte]), 1);
    expect(taken).toEqual(expected);
  });

  it('hands a body that lies in one buffer on as a view', () => {
    const { reader: subject, bodies } = reader();
    subject.feed(hello, 1);
    expect(bodies[0]?.buffer).toBe(hello.buffer);
  });

  it('delivers a body of length 0', () => {
    const { reader: subject, taken } = reader();
    subject.feed(message(4, Buffer.alloc(0)), 1);
    subject.feed(message(5, Buffer.alloc(0)), 1);
    expect(taken.map(({ body }) => body)).toEqual(['', '']);
  });

  it.each([0, 1, 2, 3, 6, 8])('skips type %i up to its limit without a word', (type) => {
    const { reader: subject, taken } = reader();
    subject.feed(message(type, Buffer.alloc(maxIgnoredBodyBytes)), 1);
    subject.feed(encodeTimeRequest(3), 1);
    expect(taken.map((each) => each.type)).toEqual([4]);
  });

  it.each([
    [0, maxIgnoredBodyBytes],
    [4, maxTimeBodyBytes],
    [5, maxJsonBodyBytes],
    [7, maxJsonBodyBytes],
  ])('refuses type %i with more than %i bytes as soon as the header is known', (type, limit) => {
    const { reader: subject } = reader();
    subject.feed(message(type, Buffer.alloc(0), limit), 1);
    const { reader: other } = reader();
    expect(() => other.feed(message(type, Buffer.alloc(0), limit + 1), 1)).toThrow(
      new RegExp(`type ${type} with ${limit + 1} bytes is larger than the ${limit} allowed`),
    );
  });

  it.each([9, 255, 65_535])('refuses type %i, which does not exist', (type) => {
    const { reader: subject } = reader();
    expect(() => subject.feed(message(type, Buffer.alloc(1)), 1)).toThrow(
      `message type ${type} does not exist`,
    );
  });

  it('either delivers or refuses any bytes at all', () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 20 }), (pieces) => {
        const { reader: subject } = reader();
        try {
          for (const piece of pieces) subject.feed(Buffer.from(piece), 1);
        } catch (error) {
          expect(error).toMatchObject({ name: 'ProtocolError' });
          refused += 1;
        }
      }),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(0);
  });
});
