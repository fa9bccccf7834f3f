import { inSlices } from '../base/time/in-slices.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { newKWeighting } from '../dsp/k-weighting.ts';
import {
  LoudnessMeter,
  loudnessHopMs,
  loudnessLufs,
  loudnessWeights,
} from '../metering/loudness.ts';
import type { ClipAudio } from './clip-audio.ts';

/**
 * Integrated loudness, LUFS; of clips that are too short for it that of their loudest 100 ms; minus
 * infinity of silence.
 */
export async function clipLoudness(audio: ClipAudio, dsp: Dsp): Promise<number> {
  const { samples, channels, rateHz } = audio;
  const state = newKWeighting(rateHz, channels);
  const weights = loudnessWeights(channels);
  const hopSamples = Math.round((rateHz * loudnessHopMs) / 1000) * channels;
  const sums = new Float64Array(channels);
  const meter = new LoudnessMeter();
  let loudest = 0;
  let at = 0;
  await inSlices(Math.ceil(samples.length / hopSamples), () => {
    const hop = samples.subarray(at, at + hopSamples);
    at += hopSamples;
    dsp.kWeightedEnergy(state, hop, sums);
    const energy = sums.reduce((sum, square, channel) => sum + weights[channel]! * square, 0);
    const meanSquare = (energy * channels) / hop.length;
    loudest = Math.max(loudest, meanSquare);
    meter.push(meanSquare);
  });
  const lufs = meter.integratedLufs;
  return lufs > Number.NEGATIVE_INFINITY ? lufs : loudnessLufs(loudest);
}
