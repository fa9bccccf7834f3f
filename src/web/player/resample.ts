/**
 * Writes into `target` the samples at `position`, `position + step`, … of `source`: copies while
 * these are whole numbers, else interpolates by a cubic through the values and slopes of neighbours.
 *
 * Shape: `source` has a sample before the first position, and two behind the last.
 */
export function resample(
  source: Float32Array,
  { position, step }: { readonly position: number; readonly step: number },
  target: Float32Array,
): void {
  if (step === 1 && Number.isInteger(position)) {
    target.set(source.subarray(position, position + target.length));
    return;
  }
  for (let index = 0; index < target.length; index += 1) {
    const at = position + index * step;
    const whole = Math.floor(at);
    const part = at - whole;
    const before = source[whole - 1]!;
    const left = source[whole]!;
    const right = source[whole + 1]!;
    const behind = source[whole + 2]!;
    const slope = (right - before) / 2;
    const bend = before - 2.5 * left + 2 * right - behind / 2;
    const twist = (behind - before) / 2 + 1.5 * (left - right);
    target[index] = ((twist * part + bend) * part + slope) * part + left;
  }
}

/** How many samples `resample` needs beside those between the first and the last position. */
export const samplesBefore = 1;
export const samplesBehind = 2;
