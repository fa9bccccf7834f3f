import { frameBytes as usualFrameBytes } from './pattern.ts';

/** What a stream plays, so that each piece of it tells where it stands. */
export interface KnownPattern {
  readonly frameBytes: number;
  /** The number of the first frame of `pcm`; `undefined` when `pcm` is no piece of this. */
  locate(pcm: Buffer): number | undefined;
  /** The number of the frame that comes so many later. */
  after(frame: number, frames: number): number;
  /** Silence that may be anywhere; absent: there is none. */
  isQuiet?(pcm: Buffer): boolean;
}

/** A chunk that some player got. */
export interface HeardChunk {
  readonly timestampUs: number;
  readonly payload: Buffer;
  readonly endUs: number;
  /** Where it stands in the pattern, when there is one. */
  readonly frame: number | undefined;
  readonly nextFrame: number | undefined;
  /** What was got straight after it. */
  next: HeardChunk | undefined;
}

interface StreamTruthOptions {
  readonly name: string;
  readonly rateHz: number;
  /** Of a stream that is a pattern without end; absent: its producers come and go. */
  readonly pattern: KnownPattern | undefined;
  /** Absent: a payload is PCM. */
  readonly decode: ((payload: Buffer) => Buffer) | undefined;
}

/** Chunks that are remembered per stream; at 20 ms each, more than anybody is behind. */
const maxChunks = 1500;
/** Rounding of a timestamp, microseconds. */
export const toleranceUs = 2;

/**
 * What all players of one stream have got, so that each can be compared with the others and with
 * what the stream ought to be.
 */
export class StreamTruth {
  readonly name: string;
  /** Places at which the time of the stream jumped for everybody. */
  readonly jumps = new Set<string>();
  readonly #chunks = new Map<number, HeardChunk>();
  readonly #options: StreamTruthOptions;

  constructor(options: StreamTruthOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /**
   * Takes note of a chunk that somebody got. Failure: throws what is wrong with its bytes.
   */
  enter(timestampUs: number, payload: Buffer): HeardChunk {
    const known = this.#chunks.get(timestampUs);
    if (known) {
      if (!known.payload.equals(payload)) throw new Error('bytes differ from what others got');
      return known;
    }
    const chunk = this.#examine(timestampUs, Buffer.from(payload));
    this.#chunks.set(timestampUs, chunk);
    const [oldest = 0] = this.#chunks.keys();
    if (this.#chunks.size > maxChunks) this.#chunks.delete(oldest);
    return chunk;
  }

  /**
   * What is wrong when `next` is got straight after `last`; `undefined` for nothing. A jump of the
   * time is recorded, as the server may have had a reason, of which its log speaks.
   */
  faultBetween(last: HeardChunk, next: HeardChunk): string | undefined {
    if (last.next === next) return undefined;
    if (last.next && last.next !== next) {
      const others = last.next.timestampUs;
      return `a gap: after ${last.timestampUs} came ${next.timestampUs}, others got ${others}`;
    }
    const isAdjacent = Math.abs(next.timestampUs - last.endUs) <= toleranceUs;
    if (this.#options.pattern && last.nextFrame !== next.frame) {
      return `wrong audio: frame ${next.frame} at ${next.timestampUs} instead of ${last.nextFrame}`;
    }
    last.next = next;
    if (!isAdjacent) this.jumps.add(`${last.endUs} to ${next.timestampUs}`);
    return undefined;
  }

  #examine(timestampUs: number, payload: Buffer): HeardChunk {
    const { pattern, decode, rateHz } = this.#options;
    const pcm = decode ? decode(payload) : payload;
    const frames = pcm.length / (pattern?.frameBytes ?? usualFrameBytes);
    const isQuiet = pattern?.isQuiet?.(pcm) ?? false;
    const frame = isQuiet ? undefined : pattern?.locate(pcm);
    if (pattern && !isQuiet && frame === undefined)
      throw new Error('bytes that the stream never had');
    return {
      timestampUs,
      payload,
      frame,
      nextFrame: frame === undefined ? undefined : pattern?.after(frame, frames),
      endUs: timestampUs + (frames * 1_000_000) / rateHz,
      next: undefined,
    };
  }
}
