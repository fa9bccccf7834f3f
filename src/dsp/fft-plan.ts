/** Factors into which half of a size must fall, in the order in which they are taken. */
export const fftRadices = [4, 2, 3, 5] as const;

/** Numbers before the roots. */
export const fftPlanHeader = 1;

/**
 * What a Fourier transform of `size` real samples needs: roots of unity and memory to work in.
 *
 * Shape: the size, `size` roots as pairs, then two areas of `size` numbers.
 * Failure: throws a `RangeError` unless the size is even and its half a product of 2, 3 and 5.
 */
export function newFftPlan(size: number): Float32Array {
  if (!isFftSize(size)) {
    throw new RangeError(
      `size of a transform is ${size}: it must be twice a product of 2, 3 and 5`,
    );
  }
  const plan = new Float32Array(fftPlanNumbers(size));
  plan[0] = size;
  for (let index = 0; index < size; index += 1) {
    const angle = (-2 * Math.PI * index) / size;
    plan[fftPlanHeader + 2 * index] = Math.cos(angle);
    plan[fftPlanHeader + 2 * index + 1] = Math.sin(angle);
  }
  return plan;
}

export function fftPlanNumbers(size: number): number {
  return fftPlanHeader + 4 * size;
}

/** The largest that is worth having: a third of a second at 768 kHz. */
const maxFftSize = 262_144;

function isFftSize(size: number): boolean {
  if (!Number.isInteger(size) || size < 4 || size > maxFftSize || size % 2 !== 0) return false;
  let rest = size / 2;
  for (const radix of fftRadices) while (rest % radix === 0) rest /= radix;
  return rest === 1;
}
