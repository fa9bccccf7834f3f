import type { WavLayout } from '../audio/sources/wav-header.ts';
import { inSlices } from '../base/time/in-slices.ts';
import { ClipError } from './clip-error.ts';

/**
 * The sound of a clip, decoded.
 *
 * Shape: interleaved samples, full scale 1. Ownership: shared by all who play it; read only.
 */
export interface ClipAudio {
  readonly samples: Float32Array;
  readonly rateHz: number;
  readonly channels: number;
  readonly durationMs: number;
}

/** Of the samples of one clip, as floats: almost three minutes of stereo. */
export const maxClipSamplesBytes = 64 * 1024 * 1024;
/** Samples that are turned into floats at a time: about 0.1 ms. */
const sliceSamples = 16_384;
/** Louder floats are no audio: 24 dB above full scale. */
const maxFloat = 16;
const packed24Bytes = 3;

type PcmLayout = Pick<WavLayout, 'format' | 'isFloat' | 'bigEndian'> & {
  /** 8-bit samples of WAV files have no sign. */
  readonly unsigned: boolean;
};

/** How many bytes one sample takes as it arrives: 24 bits lie packed in three. */
function storedBytes({ format }: PcmLayout): number {
  return format.bits === 24 ? packed24Bytes : format.sampleBytes;
}

/**
 * Turns PCM into floats, in many turns of the event loop if it is long; half a frame at the end is
 * left out.
 *
 * Failure: rejects with a `ClipError` for floats that are no audio, and by the reason of `signal`.
 */
export async function clipAudioOf(
  pcm: Uint8Array,
  layout: PcmLayout,
  signal?: AbortSignal,
): Promise<ClipAudio> {
  const { rateHz, channels } = layout.format;
  const sampleBytes = storedBytes(layout);
  const frames = Math.floor(pcm.length / (sampleBytes * channels));
  const samplesBytes = frames * channels * Float32Array.BYTES_PER_ELEMENT;
  if (samplesBytes > maxClipSamplesBytes) throw tooManySamples();
  const samples = new Float32Array(frames * channels);
  const bytes = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  const read = readerOf(layout);
  let at = 0;
  await inSlices(Math.ceil(samples.length / sliceSamples), () => {
    signal?.throwIfAborted();
    const start = at;
    const end = Math.min(samples.length, at + sliceSamples);
    for (; at < end; at += 1) samples[at] = read(bytes, at * sampleBytes);
    if (layout.isFloat) checkFloats(samples.subarray(start, end));
  });
  return { samples, rateHz, channels, durationMs: (frames * 1000) / rateHz };
}

export function tooManySamples(): ClipError {
  const megabytes = maxClipSamplesBytes / 2 ** 20;
  return new ClipError('clip-too-long', `its samples take more than ${megabytes} MiB of memory`);
}

/** Bytes of PCM that last for so many seconds. */
export function pcmBytesIn(seconds: number, layout: PcmLayout): number {
  const { rateHz, channels } = layout.format;
  return seconds * rateHz * channels * storedBytes(layout);
}

function readerOf({ format: { bits }, isFloat, bigEndian, unsigned }: PcmLayout) {
  const little = !bigEndian;
  if (isFloat) return (bytes: DataView, at: number) => bytes.getFloat32(at, little);
  if (bits === 8 && unsigned) return (bytes: DataView, at: number) => bytes.getUint8(at) / 128 - 1;
  if (bits === 8) return (bytes: DataView, at: number) => bytes.getInt8(at) / 128;
  if (bits === 16) return (bytes: DataView, at: number) => bytes.getInt16(at, little) / 32_768;
  if (bits === 32) {
    return (bytes: DataView, at: number) => bytes.getInt32(at, little) / 2_147_483_648;
  }
  const [high, low] = little ? [2, 0] : [0, 2];
  return (bytes: DataView, at: number) => {
    const value =
      (bytes.getInt8(at + high) << 16) | (bytes.getUint8(at + 1) << 8) | bytes.getUint8(at + low);
    return value / 8_388_608;
  };
}

function checkFloats(samples: Float32Array): void {
  for (let at = 0; at < samples.length; at += 1) {
    const isAudio = Math.abs(samples[at]!) <= maxFloat;
    if (!isAudio) {
      throw new ClipError(
        'bad-clip',
        `its samples are no audio: one of them is ${samples[at]}, full scale is 1`,
      );
    }
  }
}
