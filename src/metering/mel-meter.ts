import type { SampleFormat } from '../audio/sample-format.ts';
import type { PcmObserver, TimedPcm } from '../audio/stage.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { type MelPlan, newMelPlan } from '../dsp/mel-plan.ts';
import { melShapeOf } from '../dsp/mel-shape.ts';

const meanOfAll = Int32Array.of(-1);
/** Converted at once. */
const blockFrames = 1024;

/** The spectrum of one moment. Ownership: valid within the call. */
export interface MelReading {
  /** Server time at which players let the first sample of it be heard, microseconds. */
  readonly heardUs: number;
  /** Decibels from the lowest band; about 0 for a sine of full scale. */
  readonly bandsDb: Float32Array;
}

interface MelMeterOptions {
  readonly format: SampleFormat;
  /** From the capture of audio to its being heard. */
  readonly bufferMs: number;
  readonly dsp: Dsp;
  readonly onReading: (reading: MelReading) => void;
}

/** Makes rows of the mel spectrum of one stream, for eyes: 25 a second, of all channels together. */
export class MelMeter implements PcmObserver {
  readonly #options: MelMeterOptions;
  readonly #plan: MelPlan;
  readonly #hopFrames: number;
  readonly #samples: Float32Array;
  /** What the next row is made of: one window. */
  readonly #held: Float32Array;
  #heldFrames = 0;
  readonly #reading: MelReading & { heardUs: number };

  constructor(options: MelMeterOptions) {
    const { rateHz, channels } = options.format;
    const shape = melShapeOf('display', rateHz);
    this.#options = options;
    this.#plan = newMelPlan(shape);
    this.#hopFrames = shape.hop;
    this.#samples = new Float32Array(blockFrames * channels);
    this.#held = new Float32Array(shape.window);
    this.#reading = { heardUs: 0, bandsDb: new Float32Array(shape.bands) };
  }

  take(pcm: TimedPcm): void {
    if (pcm.startsRun) this.#heldFrames = 0;
    const { format, bufferMs } = this.#options;
    const { payload } = pcm.chunk;
    const { frameBytes } = format;
    for (let at = 0; at < payload.length; ) {
      const missing = this.#held.length - this.#heldFrames;
      const frames = Math.min(missing, blockFrames, (payload.length - at) / frameBytes);
      this.#hold(payload.subarray(at, at + frames * frameBytes), frames);
      at += frames * frameBytes;
      if (this.#heldFrames < this.#held.length) continue;
      const behindFrames = at / frameBytes - this.#held.length;
      const startUs = pcm.timestampUs + format.durationUs(behindFrames) * pcm.stretch;
      this.#reading.heardUs = startUs + bufferMs * 1000;
      this.#tell();
    }
  }

  endRun(): void {
    this.#heldFrames = 0;
  }

  #hold(pcm: Buffer, frames: number): void {
    const { format, dsp } = this.#options;
    const { channels } = format;
    const samples = this.#samples.subarray(0, frames * channels);
    dsp.toFloat(pcm, format, samples);
    const end = this.#heldFrames + frames;
    dsp.pickChannels(samples, channels, meanOfAll, this.#held.subarray(this.#heldFrames, end));
    this.#heldFrames = end;
  }

  #tell(): void {
    const { dsp, onReading } = this.#options;
    dsp.melSpectrum(this.#held, this.#plan, this.#reading.bandsDb);
    this.#held.copyWithin(0, this.#hopFrames);
    this.#heldFrames -= this.#hopFrames;
    onReading(this.#reading);
  }
}
