import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type DnsRecord,
  decodeMessage,
  encodeMessage,
  encodeResponses,
  encodeWithAdditionals,
  rankOf,
} from '../../../src/discovery/dns.ts';
import { ServiceRecords } from '../../../src/discovery/service-records.ts';

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
  type: 'PTR',
  ttl: 4500,
  data: 'S._a._tcp.local',
};
const place: DnsRecord = {
  name: 'S._a._tcp.local',
  type: 'SRV',
  ttl: 120,
  flush: true,
  data: { port: 1704, target: 'h' },
};

describe('messages of multicast DNS', () => {
  it('are read: a question that wants a direct answer', () => {
    expect(decodeMessage(question)).toMatchObject({
      ...empty,
      id: 0x1267,
      questions: [{ name: '_a._tcp.local', type: 'PTR' }],
    });
  });

  it('are read: records whose names point to earlier ones', () => {
    expect(decodeMessage(response)).toMatchObject({
      ...empty,
      isResponse: true,
      answers: [pointer],
      additionals: [place],
    });
  });

  it('are answers with authority, whose records take the place of older ones', () => {
    const bytes = encodeMessage({ isResponse: true, answers: [place] });
    expect(bytes.toString('hex')).toMatch(/^00008400.*0021800100000078000900000000/);
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
    const records = Array(3).fill('016100 0001 0003 00000000 0004 c0000201');
    const response = hex('0000 8400 0000 0001 0001 0001', ...records);
    expect(decodeMessage(response)).toEqual({ ...empty, isResponse: true });
  });

  it('leave out records of types that services do not have', () => {
    const records = ['000d 0001 00000000 0002 0000', '002f 0001 00000000 0004 00 000140'];
    const names = records.map((one) => `016100 ${one}`);
    const last = '016100 0001 0001 00000000 0004 c0000201';
    const whole = hex('0000 8400 0000 0003 0000 0000', ...names, last);
    expect(decodeMessage(whole)?.answers).toMatchObject([{ type: 'A', data: '192.0.2.1' }]);
  });

  it('are read from anything without a fault, and so is their rank', () => {
    const name = '_a._tcp.local';
    const records = new ServiceRecords({
      services: [{ type: '_a._tcp', port: 1 }],
      name: 'S',
      host: 'h',
      addresses: [],
    });
    const ofName = encodeMessage({ answers: [{ name, type: 'TXT', ttl: 0, data: '' }] });
    const readAll = (bytes: Buffer) => {
      const message = decodeMessage(bytes);
      for (const record of message?.answers ?? []) {
        rankOf(record);
        records.isContradictedBy(record);
        records.losesTo([{ ...record, name: 'S._a._tcp.local' }]);
      }
      for (const one of message?.questions ?? []) records.answersTo(one);
    };
    const types = fc.constantFrom(1, 6, 12, 15, 16, 28, 33, 35, 41, 46, 47, 50, 255, 257, 999);
    const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(random, types, fc.nat(9), fc.boolean(), (bytes, type, count, isTrue) => {
        readAll(bytes);
        const head = Buffer.alloc(12);
        head.writeUInt16BE(count, 6);
        readAll(Buffer.concat([head, bytes]));
        // One record that is whole but for its data.
        const record = Buffer.from(ofName.subarray(0, -1));
        record.writeUInt16BE(type, 12 + 15);
        record.writeUInt16BE(isTrue ? bytes.length : count, record.length - 2);
        readAll(Buffer.concat([record, bytes]));
      }),
      { numRuns: 3000 },
    );
  });

  it('are nothing when more is counted than there is room for', () => {
    // A text that is cut would send the library back to the front, once for each record.
    const text = '00 0010 0001 00000000 0009';
    const hostile = hex('0000 8400 0000 ffff ffff ffff', text);
    const startMs = performance.now();
    for (let count = 0; count < 50; count += 1) expect(decodeMessage(hostile)).toBeUndefined();
    expect(performance.now() - startMs).toBeLessThan(500);
    expect(decodeMessage(hex('0000 8400 0000 0001 0000 0000', text))).toBeUndefined();
  });

  it.each([
    [128, 'a'],
    [129, undefined],
  ])('have names with not too many pointers: %d in a row', (count, expected) => {
    // A record whose data are a chain of pointers, and one whose name is the end of it.
    const start = 12 + 3 + 10;
    const pointers = Array.from({ length: count }, (_, index) => {
      const target = index === 0 ? 12 : start + (index - 1) * 2;
      return (0xc000 | target).toString(16);
    });
    const name = (0xc000 | (start + (count - 2) * 2)).toString(16);
    const bytes = hex(
      '0000 0000 0000 0002 0000 0000',
      '0161 00 000a 0001 00000000',
      (count * 2 - 2).toString(16).padStart(4, '0'),
      ...pointers.slice(0, -1),
      `${name} 0010 0001 00000000 0000`,
    );
    expect(bytes.length).toBe(start + count * 2 + 10);
    const isRead = decodeMessage(bytes)?.answers[0]?.name;
    expect(isRead).toBe(expected);
  });

  it('are split so that each fits in a datagram, and nothing is lost', () => {
    const records = Array.from({ length: 300 }, (_, index) => ({
      ...pointer,
      data: `${'x'.repeat(index % 40)}${index}.local`,
    }));
    const messages = encodeResponses(records);
    expect(messages.length).toBeGreaterThan(3);
    expect(Math.max(...messages.map((bytes) => bytes.length))).toBeLessThanOrEqual(1440);
    expect(messages.flatMap((bytes) => decodeMessage(bytes)?.answers)).toMatchObject(records);
    expect(encodeResponses([])).toEqual([]);
  });

  it('leave additional records out rather than being too long', () => {
    const additionals = Array.from({ length: 100 }, () => pointer);
    const long = decodeMessage(encodeWithAdditionals({ answers: [pointer], additionals }));
    expect([long?.answers.length, long?.additionals.length]).toEqual([1, 0]);
    const short = decodeMessage(
      encodeWithAdditionals({ answers: [pointer], additionals: [place] }),
    );
    expect(short?.additionals).toMatchObject([place]);
  });
});
