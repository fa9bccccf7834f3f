/** The base header of every message. Source: protocol reference, 2.1. */
const headerBytes = 26;

export interface PlayerMessage {
  readonly type: number;
  readonly id: number;
  /** The clock of the player, microseconds. */
  readonly sentUs?: number;
  /** What the player writes into the field `received`, microseconds. */
  readonly receivedUs?: number;
  readonly body: Buffer;
  /** What the player writes into the field `size` when it is not the length of the body. */
  readonly size?: number;
}

/** A message as a player writes it, byte by byte and without any code of the server. */
export function playerMessage(message: PlayerMessage): Buffer {
  const { type, id, sentUs = 0, receivedUs = 0, body, size = body.length } = message;
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16LE(type, 0);
  header.writeUInt16LE(id, 2);
  writeClock(header, 6, sentUs);
  writeClock(header, 14, receivedUs);
  header.writeUInt32LE(size, 22);
  return Buffer.concat([header, body]);
}

/** A length and then the text. */
export function textBody(text: string | Buffer): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Seconds and microseconds. */
export function clockBody(timeUs: number): Buffer {
  const body = Buffer.alloc(8);
  writeClock(body, 0, timeUs);
  return body;
}

export function readClock(bytes: Buffer, offset: number): number {
  return bytes.readInt32LE(offset) * 1_000_000 + bytes.readInt32LE(offset + 4);
}

function writeClock(bytes: Buffer, offset: number, timeUs: number): void {
  bytes.writeInt32LE(Math.floor(timeUs / 1_000_000), offset);
  bytes.writeInt32LE(timeUs % 1_000_000, offset + 4);
}
