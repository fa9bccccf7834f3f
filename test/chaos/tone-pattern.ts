import { frameBytes } from './pattern.ts';

const frequencyHz = 440;
const amplitude = 3276.7;
/** More than any chunk, so that a piece across the seam lies in one place, too. */
const seamFrames = 16_384;

/** The test tone in sixteen-bit stereo; its period in frames has no factor in common with a chunk. */
export class TonePattern {
  readonly frameBytes = frameBytes;
  readonly #frames: number;
  readonly #withSeam: Buffer;

  constructor(rateHz: number) {
    this.#frames = rateHz / commonDivisor(rateHz, frequencyHz);
    this.#withSeam = Buffer.alloc((this.#frames + seamFrames) * frameBytes);
    for (let at = 0; at < this.#frames + seamFrames; at += 1) {
      const angle = (2 * Math.PI * ((at * frequencyHz) % rateHz)) / rateHz;
      const sample = Math.round(amplitude * Math.sin(angle));
      this.#withSeam.writeInt16LE(sample, at * frameBytes);
      this.#withSeam.writeInt16LE(sample, at * frameBytes + 2);
    }
  }

  /** The number of the first frame of `pcm`; `undefined` when `pcm` is no piece of this. */
  locate(pcm: Buffer): number | undefined {
    for (let frame = 0; frame < this.#frames; frame += 1) {
      const start = frame * frameBytes;
      if (this.#withSeam.subarray(start, start + pcm.length).equals(pcm)) return frame;
    }
    return undefined;
  }

  after(frame: number, frames: number): number {
    return (frame + frames) % this.#frames;
  }
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
