/** Source: RFC 6455, section 5.2. */
export const opcode = { binary: 0x2, close: 0x8, pong: 0xa } as const;

/** Why a connection is closed. Source: RFC 6455, section 7.4.1. */
export const closeCode = {
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  /** Stands for a close frame without a code, and is never sent. */
  none: 1005,
  policyViolation: 1008,
  internalError: 1011,
} as const;

const finalFrame = 0x80;

/** Largest header of an unmasked frame. */
export const maxFrameHeaderBytes = 10;

/**
 * Writes the header of an unmasked frame that is a whole message. Returns where it begins: it ends
 * at `maxFrameHeaderBytes`.
 */
export function writeFrameHeader(memory: Buffer, code: number, payloadBytes: number): number {
  const headerBytes = payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : maxFrameHeaderBytes;
  const start = maxFrameHeaderBytes - headerBytes;
  memory[start] = finalFrame | code;
  if (headerBytes === 2) {
    memory[start + 1] = payloadBytes;
  } else if (headerBytes === 4) {
    memory[start + 1] = 126;
    memory.writeUInt16BE(payloadBytes, start + 2);
  } else {
    memory[start + 1] = 127;
    memory.writeBigUInt64BE(BigInt(payloadBytes), start + 2);
  }
  return start;
}

export function frameHeader(code: number, payloadBytes: number): Buffer {
  const memory = Buffer.alloc(maxFrameHeaderBytes);
  return memory.subarray(writeFrameHeader(memory, code, payloadBytes));
}

export function encodeFrame(code: number, payload: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(code, payload.length), payload]);
}

export function encodeClose(code: number): Buffer {
  const payload = Buffer.alloc(code === closeCode.none ? 0 : 2);
  if (payload.length > 0) payload.writeUInt16BE(code);
  return encodeFrame(opcode.close, payload);
}
