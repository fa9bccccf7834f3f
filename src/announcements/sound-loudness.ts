import { loadNativeAddon } from '../base/native/native-addon.ts';
import { inSlices } from '../base/time/in-slices.ts';
import { openDsp } from '../dsp/dsp.ts';
import { newKWeighting } from '../dsp/k-weighting.ts';
import {
  LoudnessMeter,
  loudnessHopMs,
  loudnessLufs,
  loudnessWeights,
} from '../metering/loudness.ts';
import type { Sound } from './sound.ts';

/** What announcements are brought to. Source: EBU R 128 s2, for streaming. */
const targetLufs = -16;
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

/** Of what has come; for less than 400 ms, the loudest 100 ms. */
async function loudnessOf(sound: Sound): Promise<number> {
  const { rateHz, channels } = sound;
  const dsp = await openDsp(loadNativeAddon());
  const state = newKWeighting(rateHz, channels);
  const weights = loudnessWeights(channels);
  const hopFrames = Math.round((rateHz * loudnessHopMs) / 1000);
  const hop = new Float32Array(hopFrames * channels);
  const sums = new Float64Array(channels);
  const meter = new LoudnessMeter();
  const measuredFrames = Math.min(sound.frames, (maxMeasuredMs * rateHz) / 1000);
  let loudest = 0;
  let frame = 0;
  await inSlices(Math.ceil(measuredFrames / hopFrames), () => {
    const wanted = Math.min(hopFrames, measuredFrames - frame);
    const part = hop.subarray(0, wanted * channels);
    sound.read(frame, part);
    frame += wanted;
    dsp.kWeightedEnergy(state, part, sums);
    const meanSquare =
      sums.reduce((sum, energy, index) => sum + weights[index]! * energy, 0) / wanted;
    loudest = Math.max(loudest, meanSquare);
    meter.push(meanSquare);
  });
  const lufs = meter.integratedLufs;
  return lufs > Number.NEGATIVE_INFINITY ? lufs : loudnessLufs(loudest);
}
