export const frameBytes = 4;
const seconds = 20;
/** More than any chunk, so that a piece across the seam lies in one place, too. */
const seamFrames = 16_384;

/**
 * Sixteen-bit stereo in which every frame says where it stands, and of which stream it is: the
 * left sample has the low bits of its number, the right one the high bits and the key.
 */
export class Pattern {
  readonly frameBytes = frameBytes;
  /** One round of it, as a file holds it. */
  readonly bytes: Buffer;
  readonly #frames: number;
  readonly #key: number;
  readonly #withSeam: Buffer;

  constructor(rateHz: number) {
    this.#frames = seconds * rateHz;
    this.#key = rateHz & 0xffff;
    this.#withSeam = Buffer.alloc((this.#frames + seamFrames) * frameBytes);
    for (let at = 0; at < this.#frames + seamFrames; at += 1) {
      const frame = at % this.#frames;
      this.#withSeam.writeUInt16LE(frame & 0xffff, at * frameBytes);
      this.#withSeam.writeUInt16LE((frame >>> 16) ^ this.#key, at * frameBytes + 2);
    }
    this.bytes = this.#withSeam.subarray(0, this.#frames * frameBytes);
  }

  /** A piece of at most `seamFrames`. */
  piece(frame: number, frames: number): Buffer {
    const start = (frame % this.#frames) * frameBytes;
    return this.#withSeam.subarray(start, start + frames * frameBytes);
  }

  /** The number of the first frame of `pcm`; `undefined` when `pcm` is no piece of this. */
  locate(pcm: Buffer): number | undefined {
    if (pcm.length < frameBytes || pcm.length % frameBytes !== 0) return undefined;
    const frame = ((pcm.readUInt16LE(2) ^ this.#key) << 16) | pcm.readUInt16LE(0);
    if (frame >= this.#frames) return undefined;
    return this.piece(frame, pcm.length / frameBytes).equals(pcm) ? frame : undefined;
  }

  after(frame: number, frames: number): number {
    return (frame + frames) % this.#frames;
  }
}
