export type RtpEncoding = 'L16' | 'L24';

/** A place in memory; one object serves all packets, as a thousand may come in a second. */
export interface BytesAt {
  bytes: Uint8Array;
  at: number;
}

/** Brings samples of a packet into the shape in which a source delivers them. */
export type UnpackSamples = (from: BytesAt, into: BytesAt, samples: number) => void;

export const encodedSampleBytes = { L16: 2, L24: 3 } as const;

/** Big-endian samples become little-endian ones of 16 bits, or of 24 without a container. */
export function unpackingOf(encoding: RtpEncoding, bits: 16 | 24): UnpackSamples {
  return unpackings[`${encoding}:${bits}`];
}

/** Loops over bytes: packets are so short that a call of Node for each costs more. */
const unpackings: Readonly<Record<`${RtpEncoding}:${16 | 24}`, UnpackSamples>> = {
  'L16:16': ({ bytes, at }, into, samples) => {
    const memory = into.bytes;
    for (let from = at, to = into.at; from < at + 2 * samples; from += 2, to += 2) {
      memory[to] = bytes[from + 1]!;
      memory[to + 1] = bytes[from]!;
    }
  },
  'L16:24': ({ bytes, at }, into, samples) => {
    const memory = into.bytes;
    for (let from = at, to = into.at; from < at + 2 * samples; from += 2, to += 3) {
      memory[to] = 0;
      memory[to + 1] = bytes[from + 1]!;
      memory[to + 2] = bytes[from]!;
    }
  },
  'L24:16': ({ bytes, at }, into, samples) => {
    const memory = into.bytes;
    for (let from = at, to = into.at; from < at + 3 * samples; from += 3, to += 2) {
      memory[to] = bytes[from + 1]!;
      memory[to + 1] = bytes[from]!;
    }
  },
  'L24:24': ({ bytes, at }, into, samples) => {
    const memory = into.bytes;
    for (let from = at, to = into.at; from < at + 3 * samples; from += 3, to += 3) {
      memory[to] = bytes[from + 2]!;
      memory[to + 1] = bytes[from + 1]!;
      memory[to + 2] = bytes[from]!;
    }
  },
};
