import { writeFileSync } from 'node:fs';

/** Every frame says which one it is, again after so many; 16 bits, two channels. */
const periodFrames = 65_536;

/**
 * Streams whose frames are numbered: the left sample is the number, the right one is shifted by what
 * is the stream's own. Both jump once per period, at different places, and are never silent together.
 */
export const shifts = { first: 32_768, second: 16_384 } as const;
export type NumberedStream = keyof typeof shifts;

/** A file that can be played in a circle. */
export function writeNumberedFile(path: string, stream: NumberedStream): void {
  const samples = new Int16Array(periodFrames * 2);
  for (let frame = 0; frame < periodFrames; frame += 1) {
    samples[frame * 2] = frame - 32_768;
    samples[frame * 2 + 1] = ((frame + shifts[stream]) % periodFrames) - 32_768;
  }
  writeFileSync(path, samples);
}

/** What one frame is; `undefined` when it is none of ours alone. Shape: samples of 16 bits, may be between whole ones. */
export function numberOf(
  left: number,
  right: number,
): { readonly stream: NumberedStream; readonly frame: number } | undefined {
  const frame = left + 32_768;
  for (const stream of ['first', 'second'] as const) {
    // Between two frames both lie as far on; where one of them jumps it says nothing.
    if (Math.abs(distance(right + 32_768, frame + shifts[stream])) < 0.1) return { stream, frame };
  }
  return undefined;
}

/** By how many frames one number is ahead of another, the shorter way around. */
export function distance(a: number, b: number): number {
  const ahead = (((a - b) % periodFrames) + periodFrames) % periodFrames;
  return ahead >= periodFrames / 2 ? ahead - periodFrames : ahead;
}
