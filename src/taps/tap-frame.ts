/** In front of the audio or the rows of each binary frame. Source: docs/protocol.md, "Taps". */
export const tapHeaderBytes = 16;

const tapVersion = 1;
const headerOffset = { kind: 0, version: 1, flags: 2, count: 4, heardUs: 8 } as const;
const kinds = { pcm: 1, mel: 2 } as const;
/** The frame does not continue the one before it. */
const startsRunFlag = 1;

interface TapFrame {
  readonly kind: keyof typeof kinds;
  /** The frame does not continue the one before it. */
  readonly startsRun: boolean;
  /** Samples of each channel, or rows. */
  readonly count: number;
  /** Server time at which players let the first sample be heard, microseconds. */
  readonly heardUs: number;
}

export function writeTapHeader(memory: Buffer, frame: TapFrame): void {
  memory[headerOffset.kind] = kinds[frame.kind];
  memory[headerOffset.version] = tapVersion;
  memory.writeUInt16LE(frame.startsRun ? startsRunFlag : 0, headerOffset.flags);
  memory.writeUInt32LE(frame.count, headerOffset.count);
  memory.writeDoubleLE(frame.heardUs, headerOffset.heardUs);
}
