import type { Comparison } from './pcm-compare.ts';

/** A place is looked for by so many frames at once. */
const windowFrames = 64;

/**
 * How many frames in a row, at most, were recorded as they were fed, give or take `steps` of the
 * width of the samples: what computes with floats rounds.
 */
export function longestNearRun({
  fed,
  recorded,
  format,
  steps,
}: Comparison & { readonly steps: number }): number {
  const { channels, sampleBytes, frameBytes } = format;
  const [a, b] = [fed, recorded].map((pcm) => {
    const count = Math.floor(pcm.length / sampleBytes);
    return Float64Array.from({ length: count }, (_, at) =>
      pcm.readIntLE(at * sampleBytes, sampleBytes),
    );
  });
  const isNear = (one: number, other: number) => Math.abs(a![one]! - b![other]!) <= steps;
  const fedFrames = Math.floor(fed.length / frameBytes);
  const recordedFrames = Math.floor(recorded.length / frameBytes);
  let longest = 0;
  for (let start = 0; start + windowFrames <= recordedFrames; start += windowFrames * 100) {
    for (let place = 0; place + windowFrames <= fedFrames; place += 1) {
      let samples = 0;
      while (
        samples < (fedFrames - place) * channels &&
        isNear(place * channels + samples, start * channels + samples)
      ) {
        samples += 1;
      }
      if (samples < windowFrames * channels) continue;
      let before = 0;
      while (
        before < Math.min(place, start) * channels &&
        isNear(place * channels - before - 1, start * channels - before - 1)
      ) {
        before += 1;
      }
      longest = Math.max(longest, Math.floor((before + samples) / channels));
    }
  }
  return longest;
}
