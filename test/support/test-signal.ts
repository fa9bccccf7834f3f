import type { SampleFormat } from '../../src/audio/sample-format.ts';

export interface SignalOptions {
  readonly format: SampleFormat;
  readonly seconds: number;
}

/**
 * A loud signal with a little noise in every sample: any few frames of it occur only once, so a
 * piece of a recording has exactly one place in it. Always the same for the same options.
 */
export function uniqueSignal({ format, seconds }: SignalOptions): Buffer {
  const random = randomNumbers(1);
  const radiansPerFrame = (2 * Math.PI * 440) / format.rateHz;
  return render({ format, seconds }, (frame, channel) => {
    const tone = 0.5 * Math.sin(frame * radiansPerFrame * (channel + 1));
    return tone + 0.2 * (random() - 0.5);
  });
}

/** A rising tone per channel, without noise: what a lossy codec keeps, and never the same twice. */
export function risingTone({ format, seconds }: SignalOptions): Buffer {
  const frames = seconds * format.rateHz;
  return render({ format, seconds }, (frame, channel) => {
    const lowHz = 200 + 150 * channel;
    const highHz = 1800 + 400 * channel;
    const cycles = lowHz * frame + ((highHz - lowHz) * frame * frame) / (2 * frames);
    return 0.5 * Math.sin((2 * Math.PI * cycles) / format.rateHz);
  });
}

/** Interleaved PCM in the containers of the wire: 24 bit in 4 bytes. */
function render(
  { format, seconds }: SignalOptions,
  sampleAt: (frame: number, channel: number) => number,
): Buffer {
  const frames = Math.round(seconds * format.rateHz);
  const pcm = Buffer.alloc(frames * format.frameBytes);
  const fullScale = 2 ** (format.bits - 1) - 1;
  let offset = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    for (let channel = 0; channel < format.channels; channel += 1) {
      const value = Math.round(sampleAt(frame, channel) * fullScale);
      offset = pcm.writeIntLE(value, offset, format.sampleBytes);
    }
  }
  return pcm;
}

/** Numbers from 0 to 1 that are the same in every run: xorshift32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
