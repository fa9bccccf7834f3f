import { Activity } from '../../src/audio/activity.ts';
import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { PacedReader, type PacedReaderContext } from '../../src/audio/paced-reader.ts';
import { SampleFormat } from '../../src/audio/sample-format.ts';
import { createSource } from '../../src/audio/sources/sources.ts';
import type { StreamSource } from '../../src/audio/sources/stream-source.ts';
import { StageChain, type StageChainOptions } from '../../src/audio/stage-chain.ts';
import {
  parseStreamOptions,
  type StreamDefaults,
  type StreamOptions,
} from '../../src/audio/stream-options.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { SourceError } from '../../src/base/errors.ts';
import { LogLines } from './log-lines.ts';

export const streamDefaults: StreamDefaults = {
  format: SampleFormat.parse('48000:16:2'),
  codec: 'pcm',
  chunkMs: 20,
  bufferMs: 1000,
  pastMs: 1000,
  resyncToleranceMs: 250,
};

export interface ReadPcm {
  readonly timestampUs: number;
  readonly startsRun: boolean;
  readonly arrivedUs: number;
  readonly payload: Buffer;
}

/** A paced reader on a real source, and all that it told. */
export class ReaderRig {
  readonly pool = new ChunkPool({ verifySeals: true });
  readonly log = new LogLines();
  readonly reader: PacedReader;
  readonly pcm: ReadPcm[] = [];
  /** In order: `pcm`, `end`, `outdated`, `playing`, `idle`. */
  readonly events: string[] = [];
  readonly failures: SourceError[] = [];
  /** Called for each event: a place to do harm. */
  onEvent: (event: string) => void = () => undefined;
  /** For how long audio may be collected before it is read. */
  groupMs = 0;

  constructor(address: string, clock: Clock, defaults: Partial<StreamDefaults> = {}) {
    const options = parseStreamOptions(address, { ...streamDefaults, ...defaults });
    this.reader = pacedReader(createSource({ ...options, logger: this.log }), options, {
      pool: this.pool,
      clock,
      logger: this.log,
      groupMs: () => this.groupMs,
      onPcm: ({ chunk, timestampUs, startsRun }) => {
        const payload = Buffer.from(chunk.payload);
        chunk.release();
        this.pcm.push({ timestampUs, startsRun, arrivedUs: clock.nowUs(), payload });
        this.#tell('pcm');
      },
      onRunEnd: () => this.#tell('end'),
      onOutdated: () => this.#tell('outdated'),
      onActivity: (isPlaying) => this.#tell(isPlaying ? 'playing' : 'idle'),
      onFailure: (error) => this.failures.push(error),
    });
  }

  get states(): string[] {
    return this.events.filter((event) => event === 'playing' || event === 'idle');
  }

  get last(): ReadPcm | undefined {
    return this.pcm.at(-1);
  }

  count(event: string): number {
    return this.events.filter((told) => told === event).length;
  }

  #tell(event: string): void {
    this.events.push(event);
    this.onEvent(event);
  }
}

type ReaderParts = Omit<PacedReaderContext, 'stages' | 'onIdle' | 'onProperties'> &
  Pick<StageChainOptions, 'onPcm' | 'onRunEnd' | 'onOutdated'> & {
    readonly onActivity: (isPlaying: boolean) => void;
  };

function fail(error: unknown): never {
  throw error;
}

/** A reader with the stages of every stream behind it. */
export function pacedReader(
  source: StreamSource,
  options: StreamOptions,
  { onActivity, onPcm, onRunEnd, onOutdated, ...context }: ReaderParts,
): PacedReader {
  const { format } = source;
  const { pool } = context;
  const activity = new Activity(format, options, onActivity);
  const told = { onPcm, onRunEnd, onOutdated, onFailure: fail, onObserverFailure: fail };
  const stages = new StageChain({ ...options, ...told, pool, format, maxPaddingUs: 0 });
  stages.add(activity);
  const onIdle = () => activity.end();
  return new PacedReader(source, options, { ...context, stages, onIdle, onProperties: () => {} });
}

/** Distances between neighbouring timestamps, microseconds. */
export function distancesUs(chunks: readonly { readonly timestampUs: number }[]): number[] {
  return chunks.slice(1).map(({ timestampUs }, index) => timestampUs - chunks[index]!.timestampUs);
}
