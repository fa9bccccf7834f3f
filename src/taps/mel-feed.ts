import { maxResamplerBlockFrames } from '../audio/encoders/resampler.ts';
import type { TimedPcm } from '../audio/stage.ts';
import { melRows, newMelPlan } from '../dsp/mel-plan.ts';
import { type MelPresetName, melShapeOf } from '../dsp/mel-shape.ts';
import { PcmConversion, type TakeSamples } from './pcm-conversion.ts';
import type { TapFeed, TapFeedContext } from './tap-feed.ts';
import { tapHeaderBytes, writeTapHeader } from './tap-frame.ts';

const owner = 'tap of mel rows';
const bytesPerNumber = 4;

/** Rows of a mel spectrum, written into the frames by the signal processing itself. */
export async function openMelFeed(
  { preset, bands }: { readonly preset: MelPresetName; readonly bands?: number },
  { stream, pool, dsp, emit }: TapFeedContext,
): Promise<TapFeed> {
  const { format, options } = stream;
  const shape = melShapeOf(preset, format.rateHz, bands);
  const { rate, window, hop, scale } = shape;
  const plan = newMelPlan(shape);
  const conversion = await PcmConversion.create({ dsp, format, rateHz: rate, channels: 1 });
  /** A block becomes longer where the rate rises. */
  const blockFrames = (maxResamplerBlockFrames + 1) * Math.max(1, rate / format.rateHz);
  /** What the next rows are made of. */
  const held = new Float32Array(window + Math.ceil(blockFrames));
  let heldFrames = 0;
  let isFirst = true;

  const makeRows: TakeSamples = (samples, { timestampUs, startsRun }) => {
    if (startsRun) heldFrames = 0;
    isFirst ||= startsRun;
    const firstUs = timestampUs - (heldFrames * 1e6) / rate;
    held.set(samples, heldFrames);
    heldFrames += samples.length;
    const rows = melRows(plan, heldFrames);
    if (rows === 0) return;
    const end = tapHeaderBytes + rows * shape.bands * bytesPerNumber;
    const frame = pool.acquire(end, owner);
    frame.payloadBytes = end;
    const heardUs = firstUs + options.bufferMs * 1000;
    writeTapHeader(frame.writable, { kind: 'mel', startsRun: isFirst, count: rows, heardUs });
    const output = frame.writable.subarray(tapHeaderBytes, end);
    dsp.melSpectrum(held.subarray(0, heldFrames), plan, output);
    held.copyWithin(0, rows * hop, heldFrames);
    heldFrames -= rows * hop;
    isFirst = false;
    emit(frame, rows);
  };
  const take = (pcm: TimedPcm) => conversion.convert(pcm, makeRows);
  return {
    format: { as: 'mel', preset, rate, bands: shape.bands, window, hop, scale },
    observer: { take, endRun: () => undefined },
  };
}
