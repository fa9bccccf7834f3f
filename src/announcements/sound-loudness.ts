import { loadNativeAddon } from '../base/native/native-addon.ts';
import { openDsp } from '../dsp/dsp.ts';
import { integratedLoudness } from '../metering/integrated-loudness.ts';
import { loudnessHopMs } from '../metering/loudness.ts';
import type { Sound } from './sound.ts';

/** What announcements are brought to. Source: EBU R 128 s2, for streaming. */
export const targetLufs = -16;
/** Quieter ones are not raised by more: it would be their noise. */
const maxGainDb = 20;
/** Of a sound that is still arriving, as much as is measured for its gain. */
const maxMeasuredMs = 30_000;

/** By how much to multiply a sound so that it is as loud as announcements are; by what of it is there. */
export async function normalizingGain(sound: Sound): Promise<number> {
  const lufs = await loudnessOf(sound);
  if (lufs === Number.NEGATIVE_INFINITY) return 1;
  return 10 ** (Math.min(maxGainDb, targetLufs - lufs) / 20);
}

/** Of what has come. */
async function loudnessOf(sound: Sound): Promise<number> {
  const { rateHz, channels } = sound;
  const frames = Math.min(sound.frames, Math.floor((maxMeasuredMs * rateHz) / 1000));
  const memory = new Float32Array(Math.ceil((rateHz * loudnessHopMs) / 1000) * channels);
  const samples = (first: number, wanted: number) => {
    const part = memory.subarray(0, wanted * channels);
    sound.read(first, part);
    return part;
  };
  const dsp = await openDsp(loadNativeAddon());
  return integratedLoudness({ rateHz, channels, frames, samples }, dsp);
}
