// The binary protocol as a player writes and reads it, without any code of the server.

export const headerBytes = 26;
export const messageType = { codecHeader: 1, wireChunk: 2, serverSettings: 3, time: 4, hello: 5 };
const sizeOffset = 22;
/** No message of a server is longer. */
const maxBodyBytes = 4 * 1024 * 1024;

/** A message to the server; `size` may be a lie. */
export function message(type, id, body, size = body.length) {
  const bytes = Buffer.alloc(headerBytes + body.length);
  bytes.writeUInt16LE(type, 0);
  bytes.writeUInt16LE(id & 0xffff, 2);
  const nowUs = Math.round(performance.now() * 1000);
  bytes.writeInt32LE(Math.floor(nowUs / 1_000_000), 6);
  bytes.writeInt32LE(nowUs % 1_000_000, 10);
  bytes.writeUInt32LE(size >>> 0, sizeOffset);
  body.copy(bytes, headerBytes);
  return bytes;
}

export function hello(clientId, messageId = 1) {
  const text = JSON.stringify({
    MAC: '02:00:00:00:00:01',
    HostName: 'chaos',
    Version: '0.34.0',
    ClientName: 'Snapclient',
    OS: 'test',
    Arch: 'x86_64',
    Instance: 1,
    ID: clientId,
    SnapStreamProtocolVersion: 2,
  });
  const body = Buffer.alloc(4 + Buffer.byteLength(text));
  body.writeUInt32LE(body.length - 4);
  body.write(text, 4);
  return message(messageType.hello, messageId, body);
}

export function timeRequest(messageId) {
  return message(messageType.time, messageId, Buffer.alloc(8));
}

/** A text with its length in front. Failure: throws when it does not fit into `body`. */
export function textAt(body, offset) {
  const length = body.readUInt32LE(offset);
  if (offset + 4 + length > body.length) throw new Error('a text longer than its message');
  return { bytes: body.subarray(offset + 4, offset + 4 + length), end: offset + 4 + length };
}

/** Cuts what comes into messages. */
export class MessageCutter {
  #rest;
  #onMessage;

  /** Shape: `onMessage(type, refersTo, body)`; `body` is valid during the call. */
  constructor(onMessage) {
    this.#onMessage = onMessage;
  }

  /** Failure: throws when what comes cannot be a message of a server. */
  feed(data) {
    const bytes = this.#rest ? Buffer.concat([this.#rest, data]) : data;
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const type = bytes.readUInt16LE(at);
      const size = bytes.readUInt32LE(at + sizeOffset);
      if (type === 0 || type > 8 || size === 0 || size > maxBodyBytes) {
        throw new Error(`no message: type ${type}, ${size} bytes`);
      }
      const end = at + headerBytes + size;
      if (end > bytes.length) break;
      this.#onMessage(type, bytes.readUInt16LE(at + 4), bytes.subarray(at + headerBytes, end));
      at = end;
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : undefined;
  }
}
