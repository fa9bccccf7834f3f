import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../../src/base/errors.ts';
import { baseHeaderBytes, messageType } from '../../../src/protocol/layout.ts';
import {
  clientPolicy,
  type MessagePolicy,
  MessageReader,
  serverPolicy,
} from '../../../src/protocol/message-reader.ts';
import {
  clientIdOf,
  decodeClientInfo,
  decodeCodecHeader,
  decodeHello,
  decodeRefusal,
  decodeServerSettings,
  decodeTimeLatencyUs,
  decodeWireChunk,
  encodeHello,
  encodeTimeRequest,
  maxAuthTextLength,
  maxHelloTextLength,
} from '../../../src/protocol/messages.ts';
import {
  cuts,
  hostileJson,
  hostileObject,
  inPieces,
  mutationsOf,
} from '../../support/hostile-values.ts';
import { jsonMessage } from '../../support/mutations.ts';
import { helloOf } from '../../support/scripted-client.ts';

interface Field {
  readonly type: number;
  readonly id: number;
  readonly refersTo: number;
  readonly seconds: number;
  readonly microseconds: number;
  readonly body: Uint8Array;
}

/** Any base header, and a body that fits it. */
function fieldsOf(policy: MessagePolicy): fc.Arbitrary<Field> {
  return fc.record({
    type: fc.constantFrom(...policy.keys()),
    id: fc.nat(0xffff),
    refersTo: fc.nat(0xffff),
    seconds: fc.integer(),
    microseconds: fc.integer(),
    body: fc.uint8Array({ maxLength: 300 }),
  });
}

function bytesOf({ type, id, refersTo, seconds, microseconds, body }: Field): Buffer {
  const header = Buffer.alloc(baseHeaderBytes);
  header.writeUInt16LE(type, 0);
  header.writeUInt16LE(id, 2);
  header.writeUInt16LE(refersTo, 4);
  header.writeInt32LE(seconds, 6);
  header.writeInt32LE(microseconds, 10);
  header.writeUInt32LE(body.length, 22);
  return Buffer.concat([header, body]);
}

/** What a reader makes of pieces; a `ProtocolError` ends it, anything else fails the test. */
function readAll(policy: MessagePolicy, pieces: readonly Buffer[]) {
  const messages: object[] = [];
  const reader = new MessageReader(policy, ({ body, ...fields }) => {
    messages.push({ ...fields, body: body.toString('hex') });
  });
  try {
    for (const piece of pieces) reader.feed(piece, 7);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { messages, fault: error.message };
  }
  return { messages, isMidMessage: reader.isMidMessage };
}

describe.each([
  ['a server', serverPolicy],
  ['a client', clientPolicy],
] as const)('the message reader of %s', (_, policy) => {
  it('finds all messages with all their fields, however they are split', () => {
    const property = fc.property(
      fc.array(fieldsOf(policy), { maxLength: 8 }),
      cuts,
      (fields, at) => {
        const whole = Buffer.concat(fields.map(bytesOf));
        const expected = fields
          .filter(({ type }) => policy.get(type)?.isRead)
          .map(({ seconds, microseconds, body, ...rest }) => ({
            ...rest,
            sentUs: seconds * 1_000_000 + microseconds,
            receivedUs: 7,
            body: Buffer.from(body).toString('hex'),
          }));
        const read = readAll(policy, inPieces(whole, at));
        expect(read).toEqual({ messages: expected, isMidMessage: false });
      },
    );
    fc.assert(property, { numRuns: 400 });
  });

  it('makes the same of any bytes, however they are split, and only refuses', () => {
    const originals = [encodeHello(helloOf('x'), 2), encodeTimeRequest(3)];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((some) => Buffer.from(some)),
      mutationsOf([Buffer.concat(originals), ...originals]),
    );
    fc.assert(
      fc.property(bytes, cuts, (some, at) => {
        const { messages, ...end } = readAll(policy, inPieces(some, at));
        const whole = readAll(policy, [some]);
        expect({ messages, ...end }).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });
});

const helloKeys = [
  ...['MAC', 'HostName', 'Version', 'ClientName', 'OS', 'Arch', 'Instance', 'ID'],
  ...['SnapStreamProtocolVersion', 'Auth', 'scheme', 'param', '__proto__'],
];

/** UTF-8 has no halves of surrogate pairs. */
function isWellFormed(text: string): boolean {
  return Buffer.from(text).toString() === text;
}

/** The body of a message around any JSON text. */
function bodyOf(json: unknown): Buffer {
  return jsonMessage(messageType.hello, json).subarray(baseHeaderBytes);
}

function lenient<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return undefined;
  }
}

describe('a Hello', () => {
  it('has fields of the right types and lengths, whatever its JSON says', () => {
    const json = fc.oneof(hostileObject(helloKeys), hostileJson(helloKeys));
    fc.assert(
      fc.property(json, (value) => {
        const hello = lenient(() => decodeHello(bodyOf(value)));
        if (!hello) return;
        const { instance, protocolVersion, isVisitor = true, auth, edge, ...texts } = hello;
        for (const text of Object.values(texts)) {
          expect(typeof text).toBe('string');
          expect(text.length).toBeLessThanOrEqual(maxHelloTextLength);
        }
        expect(isVisitor).toBe(true);
        if (edge) {
          const types = [typeof edge.name, typeof edge.stream, typeof edge.isListening];
          expect(types).toEqual(['string', 'string', 'boolean']);
        }
        expect(Number.isInteger(instance) && Number.isInteger(protocolVersion)).toBe(true);
        for (const text of Object.values(auth ?? {})) {
          expect(String(text).length).toBeLessThanOrEqual(maxAuthTextLength);
        }
        expect(typeof clientIdOf(hello)).toBe('string');
        expect(Object.getPrototypeOf(hello)).toBe(Object.prototype);
        expect(({} as Record<string, unknown>).scheme).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });

  it.each(['[', '{"a":'])('nested as deeply as a body can be, by %s, is refused', (opening) => {
    const text = opening.repeat(Math.floor(60_000 / opening.length));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    const body = Buffer.concat([length, Buffer.from(text)]);
    expect(() => decodeHello(body)).toThrow(ProtocolError);
  });

  it('is the same after it was written and read, whatever the texts are', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 }).filter(isWellFormed);
    fc.assert(
      fc.property(text, text, fc.integer({ min: 1, max: 9 }), (id, hostName, instance) => {
        const hello = { ...helloOf('x'), id: id || 'i', hostName, instance };
        const message = encodeHello(hello, 2);
        expect(decodeHello(message.subarray(baseHeaderBytes))).toEqual(hello);
      }),
    );
  });
});

describe('a body', () => {
  it.each([
    ['Hello', decodeHello],
    ['Client Info', decodeClientInfo],
    ['Server Settings', decodeServerSettings],
    ['refusal', decodeRefusal],
    ['CodecHeader', decodeCodecHeader],
    ['WireChunk', decodeWireChunk],
    ['Time', decodeTimeLatencyUs],
  ] as const)('of any bytes in place of a %s is read or refused', (_, decode) => {
    const original = bodyOf({ volume: 40, muted: true, bufferMs: 1, code: 1, MAC: 'm' });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((some) => Buffer.from(some)),
      mutationsOf([original]),
    );
    fc.assert(
      fc.property(bytes, (body) => {
        const before = Buffer.from(body);
        lenient<unknown>(() => decode(body));
        expect(body.equals(before)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('of any JSON in place of a Client Info means a volume from 0 to 100', () => {
    fc.assert(
      fc.property(hostileObject(['volume', 'muted', '__proto__']), (json) => {
        const info = lenient(() => decodeClientInfo(bodyOf(json)));
        if (!info) return;
        expect(info.volume).toBeGreaterThanOrEqual(0);
        expect(info.volume).toBeLessThanOrEqual(100);
        expect(typeof info.muted).toBe('boolean');
      }),
      { numRuns: 1000 },
    );
  });
});
