/**
 * Signal processing without checks of meaning, once in C++ and once in TypeScript; `Dsp` stands
 * before it and checks.
 *
 * Shape: samples are interleaved; PCM of 24 bits lies in four bytes, or in three when `sampleBytes`
 * says so. The layout of each state is told where it is made, in src/dsp.
 * Failure: that in C++ throws a `RangeError` where it would leave its memory.
 */
export interface DspKernels {
  /** What it is made for: `baseline`, `avx2`, or `script`. */
  readonly processor: string;
  toFloat(pcm: Uint8Array, bits: number, sampleBytes: number, out: Float32Array): void;
  fromFloat(
    samples: Float32Array,
    out: Uint8Array,
    bits: number,
    sampleBytes: number,
    dither: Uint32Array | undefined,
  ): void;
  saturatingAdd(target: Uint8Array, source: Uint8Array, bits: number, sampleBytes: number): void;
  gainRamp(samples: Float32Array, channels: number, from: number, to: number): void;
  mix(target: Float32Array, source: Float32Array, gain: number): void;
  pickChannels(samples: Float32Array, channels: number, picks: Int32Array, out: Float32Array): void;
  peak(samples: Float32Array, channels: number, out: Float64Array): void;
  squares(samples: Float32Array, channels: number, out: Float64Array): void;
  truePeak(state: Float32Array, samples: Float32Array, channels: number, out: Float64Array): void;
  filteredSquares(
    state: Float64Array,
    samples: Float32Array,
    channels: number,
    out: Float64Array,
  ): void;
  limit(state: Float64Array, samples: Float32Array, channels: number): void;
  realFft(plan: Float32Array, samples: Float32Array, out: Float32Array): void;
  melRows(
    plan: Float32Array,
    shape: Int32Array,
    samples: Float32Array,
    rows: number,
    out: Float32Array,
  ): void;
}
