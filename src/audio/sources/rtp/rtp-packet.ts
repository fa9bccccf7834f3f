const fixedHeaderBytes = 12;
const extensionHeaderBytes = 4;

/** What one packet says; filled anew for each one, as a thousand may come in a second. Source: RFC 3550, 5.1. */
export interface RtpPacket {
  payloadType: number;
  sequence: number;
  timestamp: number;
  ssrc: number;
  /** Where the audio lies in the datagram. */
  payloadStart: number;
  payloadEnd: number;
}

export function emptyRtpPacket(): RtpPacket {
  return { payloadType: 0, sequence: 0, timestamp: 0, ssrc: 0, payloadStart: 0, payloadEnd: 0 };
}

/** Takes a datagram apart; false for what is no whole RTP packet of version 2. */
export function readRtpPacket(datagram: Uint8Array, into: RtpPacket): boolean {
  const bytes = datagram.length;
  if (bytes < fixedHeaderBytes) return false;
  const first = datagram[0]!;
  if (first >> 6 !== 2) return false;
  const hasPadding = (first & 0x20) !== 0;
  const hasExtension = (first & 0x10) !== 0;
  let start = fixedHeaderBytes + 4 * (first & 0x0f);
  if (hasExtension) {
    if (start + extensionHeaderBytes > bytes) return false;
    start += extensionHeaderBytes + 4 * uint16At(datagram, start + 2);
  }
  const paddingBytes = hasPadding ? datagram[bytes - 1]! : 0;
  if (hasPadding && paddingBytes === 0) return false;
  const end = bytes - paddingBytes;
  if (start > end) return false;
  into.payloadType = datagram[1]! & 0x7f;
  into.sequence = uint16At(datagram, 2);
  into.timestamp = uint32At(datagram, 4);
  into.ssrc = uint32At(datagram, 8);
  into.payloadStart = start;
  into.payloadEnd = end;
  return true;
}

function uint16At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function uint32At(bytes: Uint8Array, at: number): number {
  return uint16At(bytes, at) * 0x1_0000 + uint16At(bytes, at + 2);
}
