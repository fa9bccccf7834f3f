import type { Chunk } from '../audio/chunk.ts';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { PcmObserver } from '../audio/stage.ts';
import type { Stream } from '../audio/stream.ts';
import type { Dsp } from '../dsp/dsp.ts';

/** What the frames of a tap are made with. */
export interface TapFeedContext {
  readonly stream: Stream;
  readonly pool: ChunkPool;
  readonly dsp: Dsp;
  /** Ownership: takes over the reference to the frame, header included; `count` as in its header. */
  readonly emit: (frame: Chunk, count: number) => void;
}

/** Makes frames of what a stream plays, the same for all that want the same. */
export interface TapFeed {
  /** What the frames hold, told to each peer first. */
  readonly format: Readonly<Record<string, string | number>>;
  readonly observer: PcmObserver;
}
