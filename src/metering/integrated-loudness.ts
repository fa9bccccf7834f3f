import { inSlices } from '../base/time/in-slices.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { newKWeighting } from '../dsp/k-weighting.ts';
import { LoudnessMeter, loudnessHopMs, loudnessLufs, loudnessWeights } from './loudness.ts';

interface MeasuredSound {
  readonly rateHz: number;
  readonly channels: number;
  readonly frames: number;
  /** Gives the samples of `frames` frames from `first` on. Ownership: may be void after the next call. */
  readonly samples: (first: number, frames: number) => Float32Array;
}

/**
 * Integrated loudness of a whole sound, LUFS; of one that is too short for it that of its loudest
 * `loudnessHopMs`; minus infinity of silence.
 *
 * Shape: interleaved float32, full scale 1.
 */
export async function integratedLoudness(sound: MeasuredSound, dsp: Dsp): Promise<number> {
  const { rateHz, channels, frames, samples } = sound;
  const state = newKWeighting(rateHz, channels);
  const weights = loudnessWeights(channels);
  const hopFrames = Math.round((rateHz * loudnessHopMs) / 1000);
  const sums = new Float64Array(channels);
  const meter = new LoudnessMeter();
  let loudest = 0;
  let frame = 0;
  await inSlices(Math.ceil(frames / hopFrames), () => {
    const measured = Math.min(hopFrames, frames - frame);
    dsp.kWeightedEnergy(state, samples(frame, measured), sums);
    frame += measured;
    const energy = sums.reduce((sum, square, channel) => sum + weights[channel]! * square, 0);
    loudest = Math.max(loudest, energy / measured);
    meter.push(energy / measured);
  });
  const lufs = meter.integratedLufs;
  return lufs > Number.NEGATIVE_INFINITY ? lufs : loudnessLufs(loudest);
}
