/** Coefficients of two filters: b0, b1, b2, a1 and a2 of the first, then of the second. */
export const kWeightingHeader = 10;
/** Two delayed values per filter. */
export const kWeightingChannelNumbers = 4;

/**
 * The two filters of the K-weighting at a sample rate, silent at first.
 *
 * Shape: the ten coefficients, then four numbers per channel.
 * Source: ITU-R BS.1770-4, annex 1; its tables are for 48 kHz, of which these are the analogue
 * filters behind, by the bilinear transform.
 */
export function newKWeighting(rateHz: number, channels: number): Float64Array {
  const state = new Float64Array(kWeightingHeader + kWeightingChannelNumbers * channels);
  state.set([...highShelf(rateHz), ...highPass(rateHz)]);
  return state;
}

function highShelf(rateHz: number): number[] {
  const quality = 0.7071752369554196;
  const gain = 10 ** (3.999843853973347 / 20);
  const band = gain ** 0.4996667741545416;
  const k = Math.tan((Math.PI * 1681.974450955533) / rateHz);
  const a0 = 1 + k / quality + k * k;
  return [
    (gain + (band * k) / quality + k * k) / a0,
    (2 * (k * k - gain)) / a0,
    (gain - (band * k) / quality + k * k) / a0,
    (2 * (k * k - 1)) / a0,
    (1 - k / quality + k * k) / a0,
  ];
}

function highPass(rateHz: number): number[] {
  const quality = 0.5003270373238773;
  const k = Math.tan((Math.PI * 38.13547087602444) / rateHz);
  const a0 = 1 + k / quality + k * k;
  // The numerator is that of the table at every rate: it is not scaled there.
  return [1, -2, 1, (2 * (k * k - 1)) / a0, (1 - k / quality + k * k) / a0];
}
