import { hzOf, melOf } from '../../dsp/mel-scale.ts';
import type { MeterLevels } from '../../metering/meter-frame.ts';

const bars = 48;
const range = { lowestDb: -90, highestDb: -10 } as const;
const silence = Number.NEGATIVE_INFINITY;

/** What this browser plays, as far as it has decoded it: levels and spectrum of the moment. */
export class OwnLevels {
  readonly #samples = new WeakMap<AnalyserNode, Float32Array<ArrayBuffer>>();
  readonly #bins = new WeakMap<AnalyserNode, Float32Array<ArrayBuffer>>();
  readonly #spectrum = new Float32Array(bars);

  /** Of both sides. */
  levels(sides: readonly AnalyserNode[]): MeterLevels {
    const peakDb: number[] = [];
    const rmsDb: number[] = [];
    for (const side of sides) {
      const samples = kept(this.#samples, side, side.fftSize);
      side.getFloatTimeDomainData(samples);
      let peak = 0;
      let squares = 0;
      for (const sample of samples) {
        peak = Math.max(peak, Math.abs(sample));
        squares += sample * sample;
      }
      peakDb.push(20 * Math.log10(peak));
      rmsDb.push(10 * Math.log10(squares / samples.length));
    }
    return {
      peakDb,
      rmsDb,
      truePeakDb: peakDb.map(() => silence),
      momentaryLufs: silence,
      shortTermLufs: silence,
      integratedLufs: silence,
    };
  }

  /** From low to high, each from 0 to 1; equally wide in mel. Ownership: valid until the next call. */
  spectrum(sides: readonly AnalyserNode[]): Float32Array {
    const spectrum = this.#spectrum.fill(0);
    for (const side of sides) {
      const bins = kept(this.#bins, side, side.frequencyBinCount);
      side.getFloatFrequencyData(bins);
      const rateHz = side.context.sampleRate;
      const topMel = melOf(Math.min(16_000, rateHz / 2));
      const binOf = (bar: number) => (hzOf((topMel * bar) / bars) * side.fftSize) / rateHz;
      for (let bar = 0; bar < bars; bar += 1) {
        const last = Math.max(binOf(bar + 1), Math.floor(binOf(bar)) + 1);
        for (let bin = Math.floor(binOf(bar)); bin < last; bin += 1) {
          const part = (bins[bin]! - range.lowestDb) / (range.highestDb - range.lowestDb);
          spectrum[bar] = Math.max(spectrum[bar]!, Math.min(1, part));
        }
      }
    }
    return spectrum;
  }
}

function kept(
  known: WeakMap<AnalyserNode, Float32Array<ArrayBuffer>>,
  side: AnalyserNode,
  length: number,
): Float32Array<ArrayBuffer> {
  const memory = known.get(side) ?? new Float32Array(length);
  known.set(side, memory);
  return memory;
}
