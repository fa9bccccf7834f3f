import type { SampleFormat } from './sample-format.ts';
import type { StageChain } from './stage-chain.ts';

/** What gives a stream its PCM, in time. */
export interface StreamReader {
  /** How much faster than this machine's clock it runs, as far as that shows. */
  readonly driftPpm: number;
  /** Audio that has arrived and waits to be read; `undefined` where that cannot be told. */
  readonly backlogMs: number | undefined;
  start(): void;
  /** No client listens: what is made on demand is not wanted before `resume`. */
  pause?(): void;
  /** A client listens; again and again. */
  resume?(): void;
  stop(): Promise<void>;
}

/** Where the PCM goes. */
export interface FeedOutput {
  /** Gets the audio. */
  readonly stages: StageChain;
  /** How much silence may be sent behind the end of a run. */
  readonly maxPaddingUs: number;
  /** For how long audio may be collected before it is read. */
  readonly groupMs: () => number;
  readonly onPlaying: (isPlaying: boolean, atUs?: number) => void;
}

/** Brings a stream its PCM where no source is read. */
export interface StreamFeed {
  readonly format: SampleFormat;
  /** Whether a client, or what follows the stream, listens; the same again changes nothing. */
  listen?(isWanted: boolean): void;
  /** Once. */
  open(output: FeedOutput): StreamReader;
  /** For one that was not opened. */
  stop(): Promise<void>;
}
