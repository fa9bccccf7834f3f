import type { SampleFormat } from '../sample-format.ts';
import { choiceOf, numberOf } from '../stream-parameters.ts';
import {
  parametersOf,
  type SourceContext,
  type SourceSink,
  type StreamSource,
} from './stream-source.ts';

/** Two clicks a second, each of them a decaying burst of the tone. */
const beatsPerSecond = 2;
const clickMs = 10;

/** Generates a test signal: `tone:///?name=…[&freq=440][&pattern=sine|metronome][&level=-20]`. */
export function createToneSource(context: SourceContext): StreamSource {
  const { uri, format } = context;
  const parameters = parametersOf(context);
  return new ToneSource(format, {
    frequencyHz: numberOf(parameters, 'freq', {
      fallback: Math.min(440, format.rateHz / 2),
      min: Math.min(1, format.rateHz / 2),
      max: format.rateHz / 2,
      unit: `Hz (half of the sample rate of ${format})`,
    }),
    pattern: choiceOf(uri, 'pattern', ['sine', 'metronome']),
    levelDb: numberOf(parameters, 'level', { fallback: -20, min: -120, max: 0, unit: 'dBFS' }),
  });
}

interface Tone {
  readonly frequencyHz: number;
  readonly pattern: 'sine' | 'metronome';
  readonly levelDb: number;
}

/** Computes samples straight into the target; it never waits, so the stream alone paces it. */
class ToneSource implements StreamSource {
  readonly format: SampleFormat;
  readonly packed24 = false;
  readonly #tone: Tone;
  readonly #amplitude: number;
  readonly #phaseSteps: number;
  readonly #phasePerFrame: number;
  #phase = 0;
  /** Counts from 0 to the sample rate: both patterns repeat within whole seconds. */
  #frame = 0;
  #sink: SourceSink | undefined;

  constructor(format: SampleFormat, tone: Tone) {
    this.format = format;
    this.#tone = tone;
    this.#amplitude = (2 ** (format.bits - 1) - 1) * 10 ** (tone.levelDb / 20);
    // The phase is counted in whole steps of a thousandth of a hertz, so it never drifts.
    this.#phaseSteps = format.rateHz * 1000;
    this.#phasePerFrame = Math.round(tone.frequencyHz * 1000);
  }

  start(sink: SourceSink): void {
    this.#sink = sink;
  }

  read(target: Uint8Array): void {
    const view = new DataView(target.buffer, target.byteOffset, target.length);
    const { frameBytes, sampleBytes } = this.format;
    for (let offset = 0; offset < target.length; offset += frameBytes) {
      const sample = Math.round(this.#amplitude * this.#nextFrame());
      for (let at = offset; at < offset + frameBytes; at += sampleBytes) {
        writeSample(view, at, sample, sampleBytes);
      }
    }
    this.#sink?.filled();
  }

  skip(frames: number): void {
    // A long time of a high tone is more than a number holds exactly.
    const phase = BigInt(this.#phase) + BigInt(frames) * BigInt(this.#phasePerFrame);
    this.#phase = Number(phase % BigInt(this.#phaseSteps));
    this.#frame = (this.#frame + frames) % this.format.rateHz;
  }

  async stop(): Promise<void> {
    this.#sink = undefined;
  }

  /** The signal between -1 and 1. */
  #nextFrame(): number {
    const { rateHz } = this.format;
    const angle = (2 * Math.PI * this.#phase) / this.#phaseSteps;
    const frame = this.#frame;
    // Not by remainders, which cost more than the rest of a frame.
    this.#phase += this.#phasePerFrame;
    if (this.#phase >= this.#phaseSteps) this.#phase -= this.#phaseSteps;
    this.#frame = frame + 1 === rateHz ? 0 : frame + 1;
    if (this.#tone.pattern === 'sine') return Math.sin(angle);
    // Beat n begins at the first frame that is not before n half seconds, also at odd rates.
    const framesSinceBeat = Math.floor(((frame * beatsPerSecond) % rateHz) / beatsPerSecond);
    const clickFrames = this.format.framesIn(clickMs);
    if (framesSinceBeat >= clickFrames) return 0;
    // A cosine: the onset, at full level, is what one measures.
    const clickAngle = (2 * Math.PI * this.#tone.frequencyHz * framesSinceBeat) / rateHz;
    return Math.cos(clickAngle) * (1 - framesSinceBeat / clickFrames);
  }
}

function writeSample(view: DataView, at: number, sample: number, sampleBytes: number): void {
  if (sampleBytes === 1) view.setInt8(at, sample);
  else if (sampleBytes === 2) view.setInt16(at, sample, true);
  else view.setInt32(at, sample, true); // 24 bits lie sign-extended in four bytes
}
