import type { SampleFormat } from './sample-format.ts';

/** Whether all samples of PCM are within `thresholdPercent` of full scale; for 0, exactly zero. */
export class SilenceDetector {
  readonly #zeros: Buffer;
  readonly #sampleBytes: number;
  readonly #limit: number;

  constructor(format: SampleFormat, thresholdPercent: number) {
    this.#zeros = Buffer.alloc(64 * 1024);
    this.#sampleBytes = format.sampleBytes;
    this.#limit = Math.floor((2 ** (format.bits - 1) * thresholdPercent) / 100);
  }

  isSilent(pcm: Buffer): boolean {
    return this.#limit === 0 ? this.#isZero(pcm) : this.#isQuiet(pcm);
  }

  #isZero(pcm: Buffer): boolean {
    for (let offset = 0; offset < pcm.length; offset += this.#zeros.length) {
      const length = Math.min(this.#zeros.length, pcm.length - offset);
      if (pcm.compare(this.#zeros, 0, length, offset, offset + length) !== 0) return false;
    }
    return true;
  }

  #isQuiet(pcm: Buffer): boolean {
    const bytes = this.#sampleBytes;
    for (let offset = 0; offset + bytes <= pcm.length; offset += bytes) {
      if (Math.abs(pcm.readIntLE(offset, bytes)) > this.#limit) return false;
    }
    return true;
  }
}
