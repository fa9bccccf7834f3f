import { isIPv6 } from 'node:net';

/** Source: RFC 2974, 3; the last one is used by PipeWire. */
export const sapGroups = ['224.2.127.254', '239.255.255.255', '224.0.0.56'] as const;
export const sapPort = 9875;

const headerBytes = 4;
const contentType = Buffer.from('application/sdp\0');

export interface SapPacket {
  readonly isDeletion: boolean;
  /** With the origin it names the announcement. */
  readonly hash: number;
  readonly origin: string;
  readonly description: string;
}

/** Takes an announcement apart; nothing for what is none, or is encrypted or compressed. Source: RFC 2974, 6. */
export function readSapPacket(datagram: Buffer): SapPacket | undefined {
  const [first = 0, authenticationWords = 0] = datagram;
  const originBytes = (first & 0x10) === 0 ? 4 : 16;
  const start = headerBytes + originBytes + 4 * authenticationWords;
  if (first >> 5 !== 1 || (first & 0x03) !== 0 || start > datagram.length) return undefined;
  const origin = datagram.toString('hex', headerBytes, headerBytes + originBytes);
  const payload = datagram.subarray(start);
  const body = withoutContentType(payload);
  if (body === undefined) return undefined;
  return {
    isDeletion: (first & 0x04) !== 0,
    hash: datagram.readUInt16BE(2),
    origin,
    description: body.toString('utf8'),
  };
}

/** Old senders leave the type out. */
function withoutContentType(payload: Buffer): Buffer | undefined {
  if (payload.subarray(0, 3).toString('latin1') === 'v=0') return payload;
  const end = payload.indexOf(0);
  if (end < 0) return undefined;
  const type = payload.subarray(0, end + 1);
  return type.equals(contentType) ? payload.subarray(end + 1) : undefined;
}

export function writeSapPacket({
  isDeletion,
  hash,
  ownAddress,
  description,
}: Omit<SapPacket, 'origin'> & { readonly ownAddress: string }): Buffer {
  const origin = addressBytes(ownAddress);
  const header = Buffer.alloc(headerBytes);
  header[0] = 0x20 | (origin.length === 16 ? 0x10 : 0) | (isDeletion ? 0x04 : 0);
  header.writeUInt16BE(hash, 2);
  return Buffer.concat([header, origin, contentType, Buffer.from(description)]);
}

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = address.split('%', 1)[0]!.split('::');
  const words = (text: string) => text.split(':').filter(Boolean);
  const gap = Array(Math.max(0, 8 - words(head).length - words(tail).length)).fill('0');
  const groups = [...words(head), ...gap, ...words(tail)];
  return Buffer.from(groups.map((word) => word.padStart(4, '0')).join(''), 'hex');
}
