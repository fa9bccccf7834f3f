import type { Chunk } from '../../src/audio/chunk.ts';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { EncodeTurns } from '../../src/audio/encode-turns.ts';
import { EncodedInput } from '../../src/audio/encoded-input.ts';
import type {
  SourceContext,
  SourceSurroundings,
  StreamSource,
} from '../../src/audio/sources/stream-source.ts';
import type { StreamState } from '../../src/audio/stream.ts';
import type { StreamFeed } from '../../src/audio/stream-feed.ts';
import { parseStreamOptions, type StreamDefaults } from '../../src/audio/stream-options.ts';
import type { StreamProperties } from '../../src/audio/stream-properties.ts';
import { type Clock, monotonicClock } from '../../src/base/clock.ts';
import { assert } from '../../src/base/errors.ts';
import { LogLines } from './log-lines.ts';
import { streamDefaults } from './reader-rig.ts';

export interface Published {
  readonly timestampUs: number;
  readonly durationUs: number;
  readonly atUs: number;
  readonly payload: Buffer;
}

/** A stream on a real source, and all that it published. */
export class StreamRig {
  readonly pool = new ChunkPool({ verifySeals: true });
  readonly log = new LogLines();
  readonly stream: EncodedInput;
  readonly published: Published[] = [];
  readonly states: StreamState[] = [];
  readonly properties: StreamProperties[] = [];
  outdated = 0;
  /** Called for each chunk: a place to do harm. */
  onChunk: (chunk: Chunk) => void = () => undefined;

  constructor(
    address: string,
    defaults: Partial<StreamDefaults> = {},
    clock: Clock = monotonicClock,
    {
      feed,
      groupMs = 0,
      ...surroundings
    }: SourceSurroundings & { readonly feed?: StreamFeed; readonly groupMs?: number } = {},
    createSource?: (context: SourceContext) => StreamSource,
  ) {
    this.stream = new EncodedInput(
      parseStreamOptions(address, { ...streamDefaults, ...defaults }),
      {
        pool: this.pool,
        turns: new EncodeTurns(),
        clock,
        logger: this.log,
        onChunk: (chunk) => {
          const { timestampUs, durationUs } = chunk;
          const payload = Buffer.from(chunk.payload);
          chunk.release();
          this.published.push({ timestampUs, durationUs, atUs: clock.nowUs(), payload });
          this.onChunk(chunk);
        },
        surroundings,
        ...(createSource && { createSource }),
        onOutdated: () => {
          this.outdated += 1;
        },
        onState: (state) => this.states.push(state),
        onProperties: (properties) => this.properties.push(properties),
        onTiming: () => groupMs,
        ...(feed && { feed }),
      },
    );
  }

  /** Starts the stream with one listener. */
  async play(): Promise<this> {
    await this.stream.start();
    this.stream.activate();
    return this;
  }

  /** Ends it, and looks that no chunk is left behind. */
  async close(): Promise<void> {
    await this.stream.stop();
    assert(this.pool.isFull, 'a chunk was not given back');
    this.pool.close();
  }

  get audio(): Buffer {
    return Buffer.concat(this.published.map(({ payload }) => payload));
  }

  get endUs(): number {
    const last = this.published.at(-1);
    return last ? last.timestampUs + last.durationUs : 0;
  }
}
