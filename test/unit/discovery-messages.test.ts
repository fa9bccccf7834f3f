import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DnsMessage,
  type DnsRecord,
  typePtr,
  typeSrv,
  typeTxt,
} from '../../src/discovery/dns-message.ts';
import { labelOf, nameBytes } from '../../src/discovery/dns-name.ts';
import { decodeMessage } from '../../src/discovery/dns-reader.ts';
import {
  encodeMessage,
  encodeResponses,
  encodeWithAdditionals,
} from '../../src/discovery/dns-writer.ts';

const hex = (...pieces: readonly string[]) =>
  Buffer.from(pieces.join('').replaceAll(' ', ''), 'hex');
const ascii = (text: string) => Buffer.from(text).toString('hex');
const empty = {
  id: 0,
  isResponse: false,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
};

/** A question for `_a._tcp.local` that wants a direct answer. */
const question = hex(
  '1267 0000 0001 0000 0000 0000',
  '02',
  ascii('_a'),
  '04',
  ascii('_tcp'),
  '05',
  ascii('local'),
  '00',
  '000c 8001',
);

/** A pointer and the place of the service, with names that point to earlier ones. */
const response = hex(
  '0000 8400 0000 0001 0000 0001',
  '02',
  ascii('_a'),
  '04',
  ascii('_tcp'),
  '05',
  ascii('local'),
  '00',
  '000c 0001 00001194 0004 01',
  ascii('S'),
  'c00c',
  'c025 0021 8001 00000078 0009 0000 0000 06a8 01',
  ascii('h'),
  '00',
);

const pointer: DnsRecord = {
  name: '_a._tcp.local',
  type: typePtr,
  ttlSeconds: 4500,
  isUnique: false,
  data: nameBytes('S._a._tcp.local'),
};
const place: DnsRecord = {
  name: 'S._a._tcp.local',
  type: typeSrv,
  ttlSeconds: 120,
  isUnique: true,
  data: Buffer.concat([hex('0000 0000 06a8'), nameBytes('h')]),
};

describe('messages of multicast DNS', () => {
  it('are read: a question', () => {
    expect(decodeMessage(question)).toEqual({
      ...empty,
      id: 0x1267,
      questions: [{ name: '_a._tcp.local', type: typePtr }],
    });
  });

  it('are read: records whose names point to earlier ones', () => {
    expect(decodeMessage(response)).toEqual({
      ...empty,
      isResponse: true,
      answers: [pointer],
      additionals: [place],
    });
  });

  it('are written byte by byte', () => {
    expect(
      encodeMessage({ id: 0x1267, questions: [{ name: '_a._tcp.local', type: typePtr }] }),
    ).toEqual(
      hex(
        '1267 0000 0001 0000 0000 0000',
        '02',
        ascii('_a'),
        '04',
        ascii('_tcp'),
        '05',
        ascii('local'),
        '00',
        '000c 0001',
      ),
    );
    expect(encodeMessage({ isResponse: true, answers: [pointer], additionals: [place] })).toEqual(
      hex(
        '0000 8400 0000 0001 0000 0001',
        '02',
        ascii('_a'),
        '04',
        ascii('_tcp'),
        '05',
        ascii('local'),
        '00',
        '000c 0001 00001194 0011 01',
        ascii('S'),
        '02',
        ascii('_a'),
        '04',
        ascii('_tcp'),
        '05',
        ascii('local'),
        '00',
        '01',
        ascii('S'),
        'c00c',
        '0021 8001 00000078 0009 0000 0000 06a8 01',
        ascii('h'),
        '00',
      ),
    );
  });

  it('are nothing when they are cut, wherever', () => {
    for (const whole of [question, response]) {
      for (let length = 0; length < whole.length; length += 1) {
        expect(decodeMessage(whole.subarray(0, length))).toBeUndefined();
      }
    }
  });

  it.each([
    ['another kind of request', hex('0000 2800 0000 0000 0000 0000')],
    ['an error', hex('0000 8403 0000 0000 0000 0000')],
    ['a name that points to itself', hex('0000 0000 0001 0000 0000 0000 c00c 000c 0001')],
    ['a name that points ahead', hex('0000 0000 0001 0000 0000 0000 c012 000c 0001 00')],
    ['names in a circle', hex('0000 0000 0001 0000 0000 0000 0161 c00c 000c 0001')],
    ['a reserved kind of label', hex('0000 0000 0001 0000 0000 0000 41 61 00 000c 0001')],
    [
      'a name without end',
      hex('0000 0000 0001 0000 0000 0000', `3f${'61'.repeat(63)}`.repeat(5), '00 000c 0001'),
    ],
    ['far too much', Buffer.alloc(9001)],
  ])('are nothing with %s', (_what, bytes) => {
    expect(decodeMessage(bytes)).toBeUndefined();
  });

  it('leave out other classes', () => {
    const chaos = hex('0000 0000 0001 0000 0000 0000 00 000c 0003');
    expect(decodeMessage(chaos)).toEqual(empty);
  });

  it('are read from anything without a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(3), (random, sections) => {
        const head = hex('0000 0000').subarray(0, 4);
        const counts = Buffer.alloc(8);
        counts.writeUInt16BE(9, sections * 2);
        decodeMessage(Buffer.concat([head, counts, Buffer.from(random)]));
        decodeMessage(Buffer.from(random));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    [126, 'a'],
    [127, undefined],
  ])('have names with not too many pointers: %d more', (more, expected) => {
    // A record whose data are a chain of pointers, and one whose name is the end of it.
    const pieces = ['0000 0000 0000 0002 0000 0000', '0161 00', '0001 0001 00000000'];
    const start = 12 + 3 + 10;
    const data = Array.from({ length: more }, (_, index) => {
      const target = index === 0 ? 12 : start + (index - 1) * 2;
      return (0xc000 | target).toString(16);
    });
    const name = (0xc000 | (start + (more - 1) * 2)).toString(16);
    const bytes = hex(
      ...pieces,
      (data.length * 2).toString(16).padStart(4, '0'),
      ...data,
      name,
      '0001 0001 00000000 0000',
    );
    expect(decodeMessage(bytes)?.answers[1]?.name).toBe(expected);
  });

  it('come back as they were written', () => {
    const label = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }).map(labelOf);
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
    const record = fc.record({
      name,
      type: fc.constantFrom(typeTxt, 1, 28, 999),
      ttlSeconds: fc.nat(0xffffffff),
      isUnique: fc.boolean(),
      data: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    });
    const records = fc.array(record, { maxLength: 5 });
    fc.assert(
      fc.property(
        fc.nat(0xffff),
        fc.array(name, { maxLength: 3 }),
        records,
        records,
        (id, names, some, more) => {
          const questions = names.map((one) => ({ name: one, type: typePtr }));
          const message: DnsMessage = { ...empty, id, questions, answers: some, additionals: more };
          expect(decodeMessage(encodeMessage(message))).toEqual(message);
        },
      ),
    );
  });

  it('are split so that each fits in a datagram, and nothing is lost', () => {
    const records = Array.from({ length: 300 }, (_, index) => ({
      ...pointer,
      data: nameBytes(`${'x'.repeat(index % 40)}${index}.local`),
    }));
    const messages = encodeResponses(records);
    expect(messages.length).toBeGreaterThan(3);
    expect(Math.max(...messages.map((bytes) => bytes.length))).toBeLessThanOrEqual(1440);
    expect(messages.flatMap((bytes) => decodeMessage(bytes)?.answers)).toEqual(records);
    expect(encodeResponses([])).toEqual([]);
  });

  it('leave additional records out rather than being too long', () => {
    const additionals = Array.from({ length: 100 }, () => pointer);
    const long = decodeMessage(encodeWithAdditionals({ answers: [pointer], additionals }));
    expect([long?.answers.length, long?.additionals.length]).toEqual([1, 0]);
    const short = decodeMessage(
      encodeWithAdditionals({ answers: [pointer], additionals: [place] }),
    );
    expect(short?.additionals).toEqual([place]);
  });
});
