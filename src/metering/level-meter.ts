import type { SampleFormat } from '../audio/sample-format.ts';
import type { PcmObserver, TimedPcm } from '../audio/stage.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { kWeightingHeader, newKWeighting } from '../dsp/k-weighting.ts';
import { newTruePeakState } from '../dsp/true-peak.ts';
import { LoudnessMeter, loudnessHopMs, loudnessWeights } from './loudness.ts';

/** What is told at once, 25 times a second. */
const hopsPerReading = 2;
/** The filters of the loudness are not defined for what has hardly any treble. */
const leastLoudnessRateHz = 8000;

/**
 * Levels of one moment. Shape: decibels, minus infinity of silence; arrays hold one number per channel.
 * Ownership: valid within the call, but for what is of all that was measured, which follows it.
 */
export interface LevelReading {
  /** Server time at which players let the first of its 40 ms be heard, microseconds. */
  readonly heardUs: number;
  /** Full scale is 0. */
  readonly peakDb: Float64Array;
  /** Of a square wave of full scale 0, of a sine −3. */
  readonly rmsDb: Float64Array;
  /** No numbers where it is not measured. */
  readonly truePeakDb: Float64Array;
  /** The loudest of the 400 ms that end in this reading. */
  readonly momentaryLufs: number;
  readonly shortTermLufs: number;
  /** Of all that was measured. */
  readonly integratedLufs: number;
  /** Of all that was measured, LU. */
  readonly rangeLu: number;
}

interface LevelMeterOptions {
  readonly format: SampleFormat;
  /** From the capture of audio to its being heard. */
  readonly bufferMs: number;
  readonly dsp: Dsp;
  readonly measuresTruePeak: boolean;
  readonly onReading: (reading: LevelReading) => void;
}

/** Measures the audio of one stream. Source: ITU-R BS.1770-4, EBU Tech 3341. */
export class LevelMeter implements PcmObserver {
  readonly #options: LevelMeterOptions;
  readonly #loudness = new LoudnessMeter();
  readonly #weights: readonly number[];
  readonly #hopFrames: number;
  readonly #samples: Float32Array;
  /** `undefined` where there is no loudness. */
  readonly #kWeighting: Float64Array | undefined;
  readonly #truePeakState: Float32Array;
  /** Of one piece of audio. */
  readonly #measured: Float64Array;
  readonly #peak: Float64Array;
  readonly #truePeak: Float64Array;
  readonly #squares: Float64Array;
  #weightedSquares = 0;
  /** Taken of the present hop, and of the present reading. */
  #framesOfHop = 0;
  #framesOfReading = 0;
  #heardUs = 0;
  /** When the last sample that was taken is over. */
  #endUs = 0;
  #isRunning = false;
  /** The loudest of this reading. */
  #momentaryLufs = Number.NEGATIVE_INFINITY;
  readonly #reading: LevelReading & { heardUs: number; momentaryLufs: number };

  constructor(options: LevelMeterOptions) {
    const { rateHz, channels } = options.format;
    this.#options = options;
    this.#weights = loudnessWeights(channels);
    this.#hopFrames = Math.max(1, Math.round((rateHz * loudnessHopMs) / 1000));
    this.#samples = new Float32Array(this.#hopFrames * channels);
    this.#kWeighting = rateHz < leastLoudnessRateHz ? undefined : newKWeighting(rateHz, channels);
    this.#truePeakState = newTruePeakState(channels);
    const perChannel = () => new Float64Array(channels);
    this.#measured = perChannel();
    this.#peak = perChannel();
    this.#truePeak = perChannel();
    this.#squares = perChannel();
    const loudness = this.#loudness;
    this.#reading = {
      heardUs: 0,
      peakDb: perChannel(),
      rmsDb: perChannel(),
      truePeakDb: perChannel(),
      momentaryLufs: Number.NEGATIVE_INFINITY,
      // Summed up only for a watcher that asks.
      get shortTermLufs() {
        return loudness.shortTermLufs;
      },
      get integratedLufs() {
        return loudness.integratedLufs;
      },
      get rangeLu() {
        return loudness.rangeLu;
      },
    };
  }

  take(pcm: TimedPcm): void {
    if (pcm.startsRun) this.#startRun();
    const { format, bufferMs } = this.#options;
    const { payload } = pcm.chunk;
    const { frameBytes } = format;
    const heardUs = pcm.timestampUs + bufferMs * 1000;
    for (let at = 0; at < payload.length; ) {
      const missing = this.#hopFrames - this.#framesOfHop;
      const frames = Math.min(missing, (payload.length - at) / frameBytes);
      if (this.#framesOfReading === 0) {
        this.#heardUs = heardUs + format.durationUs(at / frameBytes) * pcm.stretch;
      }
      this.#measure(payload.subarray(at, at + frames * frameBytes), frames);
      at += frames * frameBytes;
    }
    this.#endUs = heardUs + format.durationUs(payload.length / frameBytes) * pcm.stretch;
    this.#isRunning = true;
  }

  /** Tells that nothing is heard any more. */
  endRun(): void {
    if (!this.#isRunning) return;
    this.#startRun();
    this.#heardUs = this.#endUs;
    this.#tell();
  }

  #startRun(): void {
    this.#isRunning = false;
    this.#loudness.interrupt();
    this.#kWeighting?.fill(0, kWeightingHeader);
    this.#truePeakState.fill(0);
    this.#weightedSquares = 0;
    this.#framesOfHop = 0;
    this.#clear();
  }

  #measure(pcm: Buffer, frames: number): void {
    const { format, dsp } = this.#options;
    const { channels } = format;
    const measured = this.#measured;
    const samples =
      frames === this.#hopFrames ? this.#samples : this.#samples.subarray(0, frames * channels);
    dsp.toFloat(pcm, format, samples);
    dsp.peak(samples, channels, measured);
    keepLargest(this.#peak, measured);
    if (this.#options.measuresTruePeak) {
      dsp.truePeak(this.#truePeakState, samples, measured);
      keepLargest(this.#truePeak, measured);
    }
    dsp.energy(samples, channels, measured);
    for (let channel = 0; channel < channels; channel += 1) {
      this.#squares[channel]! += measured[channel]!;
    }
    if (this.#kWeighting) this.#weigh(this.#kWeighting, samples);
    this.#framesOfHop += frames;
    this.#framesOfReading += frames;
    if (this.#framesOfHop === this.#hopFrames) this.#endHop();
  }

  #weigh(state: Float64Array, samples: Float32Array): void {
    const measured = this.#measured;
    this.#options.dsp.kWeightedEnergy(state, samples, measured);
    for (let channel = 0; channel < measured.length; channel += 1) {
      this.#weightedSquares += this.#weights[channel]! * measured[channel]!;
    }
  }

  #endHop(): void {
    this.#loudness.push(this.#weightedSquares / this.#hopFrames);
    this.#momentaryLufs = Math.max(this.#momentaryLufs, this.#loudness.momentaryLufs);
    this.#weightedSquares = 0;
    this.#framesOfHop = 0;
    if (this.#framesOfReading >= hopsPerReading * this.#hopFrames) this.#tell();
  }

  #tell(): void {
    const frames = Math.max(1, this.#framesOfReading);
    const { peakDb, rmsDb, truePeakDb } = this.#reading;
    for (let channel = 0; channel < this.#peak.length; channel += 1) {
      const peak = this.#peak[channel]!;
      peakDb[channel] = decibels(peak);
      // Between its samples the interpolation may miss the very sample.
      const truePeak = Math.max(peak, this.#truePeak[channel]!);
      truePeakDb[channel] = this.#options.measuresTruePeak ? decibels(truePeak) : Number.NaN;
      rmsDb[channel] = decibels(Math.sqrt(this.#squares[channel]! / frames));
    }
    this.#reading.heardUs = this.#heardUs;
    this.#reading.momentaryLufs = this.#momentaryLufs;
    this.#clear();
    this.#options.onReading(this.#reading);
  }

  #clear(): void {
    this.#framesOfReading = 0;
    this.#momentaryLufs = Number.NEGATIVE_INFINITY;
    this.#peak.fill(0);
    this.#truePeak.fill(0);
    this.#squares.fill(0);
  }
}

function keepLargest(target: Float64Array, values: Float64Array): void {
  for (let index = 0; index < target.length; index += 1) {
    if (values[index]! > target[index]!) target[index] = values[index]!;
  }
}

function decibels(amplitude: number): number {
  return 20 * Math.log10(amplitude);
}
