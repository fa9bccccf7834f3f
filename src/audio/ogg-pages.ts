import { ProtocolError } from '../base/errors.ts';

// Source: RFC 3533.

const fixedBytes = 27;
const maxSegments = 255;
const magic = 0x4f676753; // "OggS"
const beginFlag = 2;
/** A packet that is longer than all that a codec header may have. */
const maxPacketBytes = 65_536;

interface PagePlace {
  /** Position behind the last packet of the page, in frames. */
  readonly granule: number;
  readonly sequence: number;
  readonly serial: number;
  readonly isFirst?: boolean;
}

/** Bytes before the packets of a page that holds exactly these. */
export function pageHeaderBytes(packets: readonly number[]): number {
  return fixedBytes + packets.reduce((sum, bytes) => sum + segmentsOf(bytes), 0);
}

/**
 * Writes what stands before the packets, which lie in their place already.
 *
 * Shape: `page` is the whole page and nothing else; `packets` has the length of each.
 */
export function sealPage(page: Uint8Array, packets: readonly number[], place: PagePlace): void {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  view.setUint32(0, magic);
  view.setUint8(4, 0);
  view.setUint8(5, place.isFirst ? beginFlag : 0);
  view.setUint32(6, place.granule % 2 ** 32, true);
  view.setUint32(10, Math.floor(place.granule / 2 ** 32), true);
  view.setUint32(14, place.serial, true);
  view.setUint32(18, place.sequence, true);
  view.setUint32(22, 0, true);
  let at = fixedBytes;
  for (const bytes of packets) {
    page.fill(maxSegmentBytes, at, at + segmentsOf(bytes) - 1);
    at += segmentsOf(bytes);
    page[at - 1] = bytes % maxSegmentBytes;
  }
  page[26] = at - fixedBytes;
  view.setUint32(22, crc32(page), true);
}

/** A page of its own. */
export function pageOf(packets: readonly Uint8Array[], place: PagePlace): Uint8Array {
  const lengths = packets.map(({ length }) => length);
  const headerBytes = pageHeaderBytes(lengths);
  const page = new Uint8Array(headerBytes + lengths.reduce((sum, bytes) => sum + bytes, 0));
  let at = headerBytes;
  for (const packet of packets) {
    page.set(packet, at);
    at += packet.length;
  }
  sealPage(page, lengths, place);
  return page;
}

/**
 * The packets of whole pages, the first of which begins with one; what follows `most` is not looked at.
 *
 * Ownership: each is a copy.
 * Failure: throws a `ProtocolError` for what is damaged, or has no end.
 */
export function packetsOf(pages: Uint8Array, most = Number.POSITIVE_INFINITY): Uint8Array[] {
  const packets: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (let start = 0; start < pages.length && packets.length < most; ) {
    const { segments, bodyStart, end } = pageAt(pages, start);
    let at = bodyStart;
    for (const bytes of segments) {
      parts.push(pages.subarray(at, at + bytes));
      at += bytes;
      if (bytes === maxSegmentBytes) continue;
      packets.push(joined(parts));
      parts = [];
    }
    start = end;
  }
  if (parts.length > 0) throw damaged('a packet has no end');
  return packets;
}

interface Page {
  readonly segments: Uint8Array;
  readonly bodyStart: number;
  readonly end: number;
}

function pageAt(bytes: Uint8Array, start: number): Page {
  const rest = bytes.subarray(start);
  const view = new DataView(rest.buffer, rest.byteOffset, rest.byteLength);
  if (rest.length < fixedBytes || view.getUint32(0) !== magic) throw damaged('a page is missing');
  const bodyStart = fixedBytes + rest[26]!;
  const segments = rest.subarray(fixedBytes, bodyStart);
  const end = segments.reduce((sum, segment) => sum + segment, bodyStart);
  if (segments.length < rest[26]! || end > rest.length) throw damaged('a page is cut off');
  const page = Uint8Array.from(rest.subarray(0, end));
  page.fill(0, 22, 26);
  if (view.getUint32(22, true) !== crc32(page)) throw damaged('a page has another checksum');
  return { segments, bodyStart: start + bodyStart, end: start + end };
}

const maxSegmentBytes = 255;

/** A packet whose length is a multiple ends with an empty one. */
function segmentsOf(bytes: number): number {
  return Math.floor(bytes / maxSegmentBytes) + 1;
}

/** What a packet may have at most, to fit into one page. */
export const maxPagedPacketBytes = maxSegments * maxSegmentBytes - 1;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.concat(parts);
  if (bytes.length > maxPacketBytes) throw damaged('a packet is longer than any');
  return bytes;
}

function damaged(what: string): ProtocolError {
  return new ProtocolError('bad-ogg', `the ogg stream is damaged: ${what}`);
}

const polynomial = 0x04c1_1db7;

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit += 1) value = (value << 1) ^ (value < 0 ? polynomial : 0);
  return value;
});

/** Of a page whose own sum is zero; not reflected. */
function crc32(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (sum << 8) ^ crcTable[((sum >>> 24) ^ byte) & 0xff]!;
  return sum >>> 0;
}
