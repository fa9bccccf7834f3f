import { baseHeaderBytes, baseOffset, messageType } from '../../src/protocol/layout.ts';
import { encodeHello, encodeTimeRequest } from '../../src/protocol/messages.ts';
import type { Random } from './random.ts';
import { helloOf } from './scripted-client.ts';

export interface ClientMessage {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A message of any type around any body. */
export function messageOf(type: number, body: Buffer): Buffer {
  const message = Buffer.alloc(baseHeaderBytes + body.length);
  message.writeUInt16LE(type, baseOffset.type);
  message.writeUInt32LE(body.length, baseOffset.size);
  body.copy(message, baseHeaderBytes);
  return message;
}

export function jsonMessage(type: number, json: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(json));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return messageOf(type, Buffer.concat([length, text]));
}

/** All that a client may send: what servers act upon, and the types that they ignore. */
export function clientMessages(): readonly ClientMessage[] {
  const ignored = ['base', 'codecHeader', 'wireChunk', 'serverSettings', 'streamTags', 'error'];
  return [
    { name: 'Hello', bytes: encodeHello(helloOf('mutant'), 2) },
    { name: 'Time', bytes: encodeTimeRequest(0x1234) },
    {
      name: 'ClientInfo',
      bytes: jsonMessage(messageType.clientInfo, { volume: 40, muted: true }),
    },
    ...ignored.map((name) => ({
      name: `ignored ${name}`,
      bytes: messageOf(
        messageType[name as keyof typeof messageType],
        Buffer.from('\x0d\0\0\0some content.\x08\0\0\0and more'),
      ),
    })),
  ];
}

type Mutator = (message: Buffer, random: Random) => Buffer;

const extremes = [0, 1, 25, 26, 27, 1000, 65_535, 65_536, 65_537, 1_000_000, 1_000_001];
const extremeSizes = [...extremes, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const extremeSeconds = [0, 1, -1, 0x7fff_ffff, -0x8000_0000];

const mutators: readonly Mutator[] = [
  function flipBits(message, random) {
    const result = Buffer.from(message);
    for (let count = 1 + random.below(8); count > 0; count -= 1) {
      const at = random.below(result.length);
      result[at] = (result[at] ?? 0) ^ (1 << random.below(8));
    }
    return result;
  },
  function insertBytes(message, random) {
    const at = random.below(message.length + 1);
    const inserted = Buffer.from(
      Array.from({ length: 1 + random.below(40) }, () => random.below(256)),
    );
    return Buffer.concat([message.subarray(0, at), inserted, message.subarray(at)]);
  },
  function deleteBytes(message, random) {
    const at = random.below(message.length);
    const end = at + 1 + random.below(message.length - at);
    return Buffer.concat([message.subarray(0, at), message.subarray(end)]);
  },
  function changeSize(message, random) {
    const result = Buffer.from(message);
    const size = random.below(2) === 0 ? random.pick(extremeSizes) : random.below(500);
    result.writeUInt32LE(size, baseOffset.size);
    return result;
  },
  function changeLengthInside(message, random) {
    const result = Buffer.from(message);
    result.writeUInt32LE(random.pick(extremeSizes), baseHeaderBytes);
    return result;
  },
  function changeType(message, random) {
    const result = Buffer.from(message);
    result.writeUInt16LE(
      random.below(2) === 0 ? random.below(12) : random.below(65_536),
      baseOffset.type,
    );
    return result;
  },
  function changeTimes(message, random) {
    const result = Buffer.from(message);
    for (const offset of [baseOffset.sentSec, baseOffset.sentUsec, baseOffset.receivedSec]) {
      result.writeInt32LE(random.pick(extremeSeconds), offset);
    }
    return result;
  },
  function overwriteBody(message, random) {
    const result = Buffer.from(message);
    for (let at = baseHeaderBytes + random.below(8); at < result.length; at += 1) {
      result[at] = random.below(256);
    }
    return result;
  },
  function glueAnother(message, random) {
    const other = random.pick(clientMessages()).bytes;
    return Buffer.concat([message, other.subarray(0, 1 + random.below(other.length))]);
  },
  function repeat(message, random) {
    return Buffer.concat(Array.from({ length: 2 + random.below(4) }, () => message));
  },
];

/** `message` with one thing wrong with it, or several. */
export function mutate(message: Buffer, random: Random): Buffer {
  let result = message;
  do {
    // What was cut short has no fields left to change.
    const isWhole = result.length >= baseHeaderBytes + 4;
    result = random.pick(isWhole ? mutators : mutators.slice(0, 3))(result, random);
  } while (result.length > 0 && random.below(4) === 0);
  return result;
}
