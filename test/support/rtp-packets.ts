export interface PacketParts {
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc?: number;
  readonly payloadType?: number;
  readonly payload: Uint8Array;
  readonly csrcs?: number;
  /** Words of a header extension. */
  readonly extensionWords?: number;
  readonly paddingBytes?: number;
}

/** One packet as a sender writes it. Source: RFC 3550, 5.1. */
export function rtpPacket(parts: PacketParts): Buffer {
  const { sequence, timestamp, ssrc = 1, payloadType = 97, payload } = parts;
  const { csrcs = 0, extensionWords, paddingBytes = 0 } = parts;
  const header = Buffer.alloc(12 + 4 * csrcs, 0xcc);
  const hasExtension = extensionWords !== undefined;
  header[0] = 0x80 | (paddingBytes > 0 ? 0x20 : 0) | (hasExtension ? 0x10 : 0) | csrcs;
  header[1] = payloadType;
  header.writeUInt16BE(sequence % 2 ** 16, 2);
  header.writeUInt32BE(timestamp % 2 ** 32, 4);
  header.writeUInt32BE(ssrc, 8);
  const extension = Buffer.alloc(hasExtension ? 4 + 4 * extensionWords : 0, 0xee);
  if (hasExtension) extension.writeUInt16BE(extensionWords, 2);
  const padding = Buffer.alloc(paddingBytes, 0);
  if (paddingBytes > 0) padding[paddingBytes - 1] = paddingBytes;
  return Buffer.concat([header, extension, payload, padding]);
}

/** PCM of a stream, 16 bits or packed 24, as it lies in packets. */
export function bigEndian(pcm: Uint8Array, sampleBytes: 2 | 3): Buffer {
  const turned = Buffer.from(pcm);
  for (let at = 0; at < turned.length; at += sampleBytes) {
    turned.subarray(at, at + sampleBytes).reverse();
  }
  return turned;
}

export interface SenderHabits {
  readonly frameBytes?: number;
  readonly sampleBytes?: 2 | 3;
  readonly ssrc?: number;
  readonly payloadType?: number;
  readonly firstSequence?: number;
  readonly firstTimestamp?: number;
}

/** Cuts audio into packets as a sender does; numbers and timestamps go on from piece to piece. */
export class RtpSender {
  readonly #habits: Required<SenderHabits>;
  #sequence: number;
  #timestamp: number;

  constructor(habits: SenderHabits = {}) {
    this.#habits = {
      frameBytes: 4,
      sampleBytes: 2,
      ssrc: 1,
      payloadType: 97,
      firstSequence: 65_530,
      firstTimestamp: 2 ** 32 - 1000,
      ...habits,
    };
    this.#sequence = this.#habits.firstSequence;
    this.#timestamp = this.#habits.firstTimestamp;
  }

  /** `pcm` as packets of `frames` frames; the last one may be shorter. */
  packets(pcm: Buffer, frames: number): Buffer[] {
    const { frameBytes } = this.#habits;
    const packets: Buffer[] = [];
    for (let at = 0; at < pcm.length; at += frames * frameBytes) {
      packets.push(this.packet(pcm.subarray(at, at + frames * frameBytes)));
    }
    return packets;
  }

  packet(pcm: Buffer): Buffer {
    const { frameBytes, sampleBytes, ssrc, payloadType } = this.#habits;
    const packet = rtpPacket({
      sequence: this.#sequence,
      timestamp: this.#timestamp,
      ssrc,
      payloadType,
      payload: bigEndian(pcm, sampleBytes),
    });
    this.#sequence = (this.#sequence + 1) % 2 ** 16;
    this.pause(pcm.length / frameBytes);
    return packet;
  }

  /** Says nothing for so long. */
  pause(frames: number): void {
    this.#timestamp = (this.#timestamp + frames) % 2 ** 32;
  }
}
