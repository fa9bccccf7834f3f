/** Taps of each of the four phases. */
export const truePeakTaps = 12;

/**
 * The first two phases of the interpolation filter; the other two are these backwards.
 *
 * Source: ITU-R BS.1770-4, annex 2.
 */
const phases = [
  [
    ...[0.001708984375, 0.010986328125, -0.0196533203125, 0.033203125],
    ...[-0.0594482421875, 0.1373291015625, 0.97216796875, -0.102294921875],
    ...[0.047607421875, -0.026611328125, 0.014892578125, -0.00830078125],
  ],
  [
    ...[-0.0291748046875, 0.029296875, -0.0517578125, 0.089111328125],
    ...[-0.16650390625, 0.465087890625, 0.77978515625, -0.2003173828125],
    ...[0.1015625, -0.0582275390625, 0.0330810546875, -0.0189208984375],
  ],
] as const;

/**
 * A phase and the one that is it backwards give `even + odd` and `even − odd` of the same two sums, so
 * the larger of both is `|even| + |odd|`, for half of the multiplications.
 *
 * Shape: for each pair of taps even and odd of the first phase, then of the second.
 */
export const truePeakPairs: Float64Array = Float64Array.from(
  Array.from({ length: truePeakTaps / 2 }, (_, tap) =>
    phases.flatMap((phase) => {
      const [near, far] = [phase[tap]!, phase[truePeakTaps - 1 - tap]!];
      return [(near + far) / 2, (near - far) / 2];
    }),
  ).flat(),
);

/** The frames that the filter still sees of the audio before; interleaved, silent at first. */
export function newTruePeakState(channels: number): Float32Array {
  return new Float32Array((truePeakTaps - 1) * channels);
}
