import type { MelShape } from './mel-plan.ts';
import { displayBands } from './mel-scale.ts';

export const melPresetNames = ['speech', 'display'] as const;
export type MelPresetName = (typeof melPresetNames)[number];

const speechRateHz = 16_000;
const displayRowsPerSecond = 25;
/** Windows for display last so long at least. */
const displayWindowMs = 40;

/** Which rows a preset makes of audio of this rate. */
export function melShapeOf(preset: MelPresetName, rateHz: number, bands = displayBands): MelShape {
  // 25 ms every 10 ms, as speech recognisers take it.
  if (preset === 'speech') {
    return { rate: speechRateHz, bands, window: 400, hop: 160, scale: 'log10', norm: 'area' };
  }
  const window = 2 ** Math.ceil(Math.log2((rateHz * displayWindowMs) / 1000));
  const hop = Math.floor(rateHz / displayRowsPerSecond);
  return { rate: rateHz, bands, window, hop, scale: 'decibel', norm: 'peak' };
}
