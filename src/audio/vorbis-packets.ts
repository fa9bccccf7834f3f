import { ProtocolError } from '../base/errors.ts';

// Source: the Vorbis I specification, sections 4.2 and 5.2.

const identificationBytes = 30;
const headerMark = Buffer.from('vorbis');
const commentType = 3;
/** Set in the first byte of an audio packet of a long block, where there are two lengths. */
const longBlockBit = 2;
const maxComments = 1000;

/** What a stream says of itself before anything is heard. */
export interface VorbisIdentification {
  readonly channels: number;
  readonly rateHz: number;
  /** Frames of a short and of a long block, each of which overlaps its neighbours. */
  readonly shortFrames: number;
  readonly longFrames: number;
}

/** Failure: throws a `ProtocolError`. */
export function readIdentification(packet: Uint8Array): VorbisIdentification {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  if (bytes.length < identificationBytes || !isHeader(bytes, 1)) {
    throw new ProtocolError('bad-codec-header', 'the ogg header is not that of Vorbis');
  }
  return {
    channels: bytes[11]!,
    rateHz: bytes.readUInt32LE(12),
    shortFrames: 2 ** (bytes[28]! & 15),
    longFrames: 2 ** (bytes[28]! >> 4),
  };
}

/**
 * Frames of the block that an audio packet has; the packet adds a quarter of it, and a quarter of the
 * one before. As libvorbis numbers its modes, which is what every known server encodes by.
 */
export function blockFramesOf(firstByte: number, identification: VorbisIdentification): number {
  const { shortFrames, longFrames } = identification;
  return (firstByte & longBlockBit) !== 0 ? longFrames : shortFrames;
}

/** Bit 0 tells packets of the header from those of audio. */
export function isAudio(firstByte: number): boolean {
  return (firstByte & 1) === 0;
}

interface VorbisComment {
  readonly vendor: string;
  /** `NAME=text` */
  readonly comments: readonly string[];
}

/** Failure: throws a `ProtocolError`. */
export function readComment(packet: Uint8Array): VorbisComment {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  if (!isHeader(bytes, commentType)) throw cutOff();
  let at = headerMark.length + 1;
  const nextNumber = () => {
    if (at + 4 > bytes.length) throw cutOff();
    at += 4;
    return bytes.readUInt32LE(at - 4);
  };
  const nextText = () => {
    const length = nextNumber();
    if (at + length > bytes.length) throw cutOff();
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const vendor = nextText();
  const count = Math.min(nextNumber(), maxComments);
  return { vendor, comments: Array.from({ length: count }, nextText) };
}

export function commentPacket({ vendor, comments }: VorbisComment): Uint8Array {
  const count = Buffer.alloc(4);
  count.writeUInt32LE(comments.length);
  const framing = Buffer.of(1);
  const mark = Buffer.concat([Buffer.of(commentType), headerMark]);
  return Buffer.concat([mark, textOf(vendor), count, ...comments.map(textOf), framing]);
}

function textOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function isHeader(bytes: Buffer, type: number): boolean {
  return bytes[0] === type && bytes.subarray(1, 1 + headerMark.length).equals(headerMark);
}

function cutOff(): ProtocolError {
  return new ProtocolError('bad-codec-header', 'the comments of the ogg header are damaged');
}
