import { frameBytes as usualFrameBytes } from './pattern.mjs';

/** Chunks that are remembered per stream; at 20 ms each, more than anybody is behind. */
const maxChunks = 1500;
/** Rounding of a timestamp, microseconds. */
export const toleranceUs = 2;

/**
 * What all players of one stream have got, so that each can be compared with the others and with
 * what the stream ought to be.
 */
export class StreamTruth {
  name;
  /** Places at which the time of the stream jumped for everybody. */
  jumps = new Set();
  #rateHz;
  #chunks = new Map();
  /** Of a stream that is a pattern without end; absent: its producers come and go. */
  #pattern;
  #decode;

  constructor({ name, rateHz, pattern, decode }) {
    this.name = name;
    this.#rateHz = rateHz;
    this.#pattern = pattern;
    this.#decode = decode;
  }

  /**
   * Takes note of a chunk that somebody got. Failure: throws what is wrong with its bytes.
   */
  enter(timestampUs, payload) {
    const known = this.#chunks.get(timestampUs);
    if (known) {
      if (!known.payload.equals(payload)) throw new Error('bytes differ from what others got');
      return known;
    }
    const chunk = this.#examine(timestampUs, Buffer.from(payload));
    this.#chunks.set(timestampUs, chunk);
    if (this.#chunks.size > maxChunks) this.#chunks.delete(this.#chunks.keys().next().value);
    return chunk;
  }

  /**
   * What is wrong when `next` is got straight after `last`; `undefined` for nothing. A jump of the
   * time is recorded, as the server may have had a reason, of which its log speaks.
   */
  faultBetween(last, next) {
    if (last.next === next) return undefined;
    if (last.next && last.next !== next) {
      const others = last.next.timestampUs;
      return `a gap: after ${last.timestampUs} came ${next.timestampUs}, others got ${others}`;
    }
    const isAdjacent = Math.abs(next.timestampUs - last.endUs) <= toleranceUs;
    if (this.#pattern && last.nextFrame !== next.frame) {
      return `wrong audio: frame ${next.frame} at ${next.timestampUs} instead of ${last.nextFrame}`;
    }
    last.next = next;
    if (!isAdjacent) this.jumps.add(`${last.endUs} to ${next.timestampUs}`);
    return undefined;
  }

  #examine(timestampUs, payload) {
    const pcm = this.#decode ? this.#decode(payload) : payload;
    const { frameBytes = usualFrameBytes } = this.#pattern ?? {};
    const frames = pcm.length / frameBytes;
    const isQuiet = this.#pattern?.isQuiet?.(pcm) ?? false;
    const frame = isQuiet ? undefined : this.#pattern?.locate(pcm);
    if (this.#pattern && !isQuiet && frame === undefined)
      throw new Error('bytes that the stream never had');
    return {
      timestampUs,
      payload,
      frame,
      nextFrame: frame === undefined ? undefined : this.#pattern.after(frame, frames),
      endUs: timestampUs + (frames * 1_000_000) / this.#rateHz,
      next: undefined,
    };
  }
}
