/** Source: M. Slaney, Auditory Toolbox (1998): linear below 1 kHz, logarithmic above. */
const linearHz = 200 / 3;
const breakHz = 1000;
const breakMel = breakHz / linearHz;
const logStep = Math.log(6.4) / 27;

/** Rows of a spectrum that is looked at. */
export const displayBands = 80;

export function melOf(hz: number): number {
  return hz < breakHz ? hz / linearHz : breakMel + Math.log(hz / breakHz) / logStep;
}

export function hzOf(mel: number): number {
  return mel < breakMel ? mel * linearHz : breakHz * Math.exp((mel - breakMel) * logStep);
}
