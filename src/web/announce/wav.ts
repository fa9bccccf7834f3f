const headerBytes = 44;
const bytesPerSample = 2;
/** So much is converted before the page may do something else: about 5 ms on an old phone. */
const sliceFrames = 32_768;

export function wavBytes(frames: number, channels: number): number {
  return headerBytes + frames * channels * bytesPerSample;
}

/**
 * A WAV file of 16 bits, made in slices between which the page goes on.
 *
 * Shape: `channels` are of equal length, full scale 1. `onPart` is told which part is done, 0 to 1.
 */
export async function wavOf(
  channels: readonly Float32Array[],
  rateHz: number,
  onPart: (part: number) => void = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const frames = channels[0]?.length ?? 0;
  const bytes = new Uint8Array(wavBytes(frames, channels.length));
  writeHeader(new DataView(bytes.buffer), channels.length, rateHz);
  const samples = new Int16Array(bytes.buffer, headerBytes);
  for (let from = 0; from < frames; from += sliceFrames) {
    const to = Math.min(frames, from + sliceFrames);
    for (const [channel, source] of channels.entries()) {
      for (let frame = from; frame < to; frame += 1) {
        samples[frame * channels.length + channel] = sampleOf(source[frame]!);
      }
    }
    onPart(to / frames);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return bytes;
}

/** Both of the machines that browsers run on, and WAV, are little-endian. */
function writeHeader(view: DataView, channels: number, rateHz: number): void {
  const frameBytes = channels * bytesPerSample;
  const text = (at: number, word: string) => {
    for (const [index, letter] of [...word].entries())
      view.setUint8(at + index, letter.charCodeAt(0));
  };
  text(0, 'RIFF');
  view.setUint32(4, view.byteLength - 8, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, rateHz * frameBytes, true);
  view.setUint16(32, frameBytes, true);
  view.setUint16(34, 8 * bytesPerSample, true);
  text(36, 'data');
  view.setUint32(40, view.byteLength - headerBytes, true);
}

function sampleOf(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value * 32_768)));
}

/** One channel out of all of them. */
export function mixedDown(channels: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = channels;
  if (channels.length < 2) return first;
  return first.map(
    (_, frame) => channels.reduce((sum, one) => sum + one[frame]!, 0) / channels.length,
  );
}

/** How loud it is over its time, for the eye: the peaks of `count` equal pieces, 0 to 1. */
export function peaksOf(channels: readonly Float32Array[], count: number): readonly number[] {
  const [first = new Float32Array()] = channels;
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * first.length) / count);
    const to = Math.floor(((index + 1) * first.length) / count);
    let peak = 0;
    for (let frame = from; frame < to; frame += 1) peak = Math.max(peak, Math.abs(first[frame]!));
    return Math.min(1, peak);
  });
}
