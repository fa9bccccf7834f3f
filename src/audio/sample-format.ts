import { ZerocastError } from '../base/errors.ts';

/** Limits of one stream: beyond them no client plays. */
export const maxRateHz = 768_000;
export const maxChannels = 8;

const bitDepths = [8, 16, 24, 32] as const;
type BitDepth = (typeof bitDepths)[number];

/**
 * The shape of PCM audio: interleaved signed little-endian samples.
 *
 * Shape: 24-bit samples lie in 4-byte containers, sign-extended (protocol reference, 4.1).
 */
export class SampleFormat {
  readonly rateHz: number;
  readonly bits: BitDepth;
  readonly channels: number;
  /** Bytes of one sample of one channel: 1, 2 or 4. */
  readonly sampleBytes: number;
  /** Bytes of one sample of all channels. */
  readonly frameBytes: number;

  constructor(shape: { rateHz: number; bits: BitDepth; channels: number }) {
    this.rateHz = shape.rateHz;
    this.bits = shape.bits;
    this.channels = shape.channels;
    this.sampleBytes = shape.bits === 24 ? 4 : shape.bits / 8;
    this.frameBytes = this.sampleBytes * shape.channels;
  }

  /** Reads `rate:bits:channels`. Failure: throws a `ZerocastError` that says what is allowed. */
  static parse(text: string): SampleFormat {
    const match = /^(\d+):(\d+):(\d+)$/.exec(text.trim());
    const [rateHz = 0, bits = 0, channels = 0] = match ? match.slice(1).map(Number) : [];
    const depth = bitDepths.find((known) => known === bits);
    if (rateHz < 1 || rateHz > maxRateHz || !depth || channels < 1 || channels > maxChannels) {
      throw new ZerocastError(
        'bad-sample-format',
        `"${text}" is no sample format: write rate:bits:channels with a rate of 1 to ${maxRateHz} Hz, ` +
          `8, 16, 24 or 32 bits and 1 to ${maxChannels} channels, for example 48000:16:2`,
      );
    }
    return new SampleFormat({ rateHz, bits: depth, channels });
  }

  /** Whole frames that fit into `ms` milliseconds, at least one. */
  framesIn(ms: number): number {
    return Math.max(1, Math.floor((this.rateHz * ms) / 1000));
  }

  /** Microseconds that `frames` frames last, not rounded. */
  durationUs(frames: number): number {
    return (frames * 1_000_000) / this.rateHz;
  }

  equals(other: SampleFormat): boolean {
    return (
      this.rateHz === other.rateHz && this.bits === other.bits && this.channels === other.channels
    );
  }

  toString(): string {
    return `${this.rateHz}:${this.bits}:${this.channels}`;
  }
}
