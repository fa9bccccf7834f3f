import { Random } from '../support/random.ts';

const channels = 8;
const sampleBytes = 4;
const halfScale = 2 ** 23;
const quietSeconds = 0.2;
const loudSeconds = 2.8;
/** More than any chunk, so that a piece across the seam lies in one place, too. */
const seamFrames = 16_384;

/**
 * Eight channels of 24 bits that are silent for a while and then noise, so that a lossless codec
 * makes the smallest and the largest chunks of them. The first channel of the noise counts the frames.
 */
export class SwellingPattern {
  readonly frameBytes = channels * sampleBytes;
  /** One round of it, as a file holds it. */
  readonly bytes: Buffer;
  readonly #frames: number;
  readonly #withSeam: Buffer;

  constructor(rateHz: number) {
    const quietFrames = quietSeconds * rateHz;
    this.#frames = quietFrames + loudSeconds * rateHz;
    const round = new Int32Array(this.#frames * channels);
    const random = new Random(rateHz);
    for (let frame = 0; frame < this.#frames; frame += 1) {
      const at = frame * channels;
      if (frame < quietFrames) continue;
      round[at] = frame;
      for (let channel = 1; channel < channels; channel += 1) {
        round[at + channel] = random.between(-halfScale, halfScale - 1);
      }
    }
    this.bytes = Buffer.from(round.buffer);
    this.#withSeam = Buffer.concat([
      this.bytes,
      this.bytes.subarray(0, seamFrames * this.frameBytes),
    ]);
  }

  /** The number of the first frame of `pcm`; `undefined` when `pcm` is no piece of this. */
  locate(pcm: Buffer): number | undefined {
    if (pcm.length < this.frameBytes || pcm.length % this.frameBytes !== 0) return undefined;
    const frame = pcm.readInt32LE(0) || this.#beforeLast(pcm);
    if (frame < 0 || frame >= this.#frames) return undefined;
    const start = frame * this.frameBytes;
    return this.#withSeam.subarray(start, start + pcm.length).equals(pcm) ? frame : undefined;
  }

  /** Silence is the same at all of its places. */
  isQuiet(pcm: Buffer): boolean {
    return pcm.every((byte) => byte === 0);
  }

  after(frame: number, frames: number): number {
    return (frame + frames) % this.#frames;
  }

  /** The number of the first frame, when the noise begins behind it. */
  #beforeLast(pcm: Buffer): number {
    const frames = pcm.length / this.frameBytes;
    return pcm.readInt32LE(pcm.length - this.frameBytes) - (frames - 1);
  }
}
