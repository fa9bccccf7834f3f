/** Source: RFC 6455, section 5.2. */
export const opcode = { binary: 0x2, close: 0x8, pong: 0xa } as const;

/** Why a connection is closed. Source: RFC 6455, section 7.4.1. */
export const closeCode = {
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Stands for a close frame without a code, and is never sent. */
  none: 1005,
} as const;

const finalFrame = 0x80;

/** The header of an unmasked frame that is a whole message. */
export function frameHeader(code: number, payloadBytes: number): Buffer {
  const first = finalFrame | code;
  if (payloadBytes < 126) return Buffer.from([first, payloadBytes]);
  const isShort = payloadBytes < 65_536;
  const header = Buffer.alloc(isShort ? 4 : 10);
  header[0] = first;
  header[1] = isShort ? 126 : 127;
  if (isShort) header.writeUInt16BE(payloadBytes, 2);
  else header.writeBigUInt64BE(BigInt(payloadBytes), 2);
  return header;
}

export function encodeFrame(code: number, payload: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(code, payload.length), payload]);
}

export function encodeClose(code: number): Buffer {
  const payload = Buffer.alloc(code === closeCode.none ? 0 : 2);
  if (payload.length > 0) payload.writeUInt16BE(code);
  return encodeFrame(opcode.close, payload);
}
