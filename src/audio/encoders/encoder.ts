import { SourceError } from '../../base/errors.ts';
import type { Chunk } from '../chunk.ts';
import type { ChunkPool } from '../chunk-pool.ts';
import type { SampleFormat } from '../sample-format.ts';

/** Takes an encoded chunk (not sealed) with the number of frames that it holds. */
export type Emit = (chunk: Chunk, frames: number) => void;

/** Resolves with the microseconds that another thread was at work. */
export type EncodedElsewhere = Promise<number>;

/**
 * Turns PCM chunks into chunks of one codec.
 *
 * Every chunk that it emits is independently decodable, carries whole frames only, and follows the
 * previous one without a gap, so the stream can compute timestamps from frame counts alone.
 */
export interface Encoder {
  /** Payload of the codec header message. */
  readonly header: Uint8Array;
  /** The format in which emitted frames are counted: it differs from the input after resampling. */
  readonly format: SampleFormat;
  /**
   * Frames (of `format`) by which the decoded audio lags behind its input: codec look-ahead plus
   * resampler delay. The stream subtracts them from each timestamp.
   */
  readonly delayFrames: number;
  /** Frames (of `format`) of each emitted chunk; 0: as many as the PCM chunk had. */
  readonly blockFrames: number;
  /** Frames (of `format`) that have to follow such a block before it is emitted. */
  readonly blockLookAheadFrames: number;
  /**
   * Frames (of `format`) for which two encoders, and what decodes them, have to have had the same
   * audio before one can go on in the place of the other; 0: chunks know nothing of each other.
   */
  readonly memoryFrames: number;
  /** Frames (of `format`) at most by which a flushed run is longer than what came in. */
  readonly maxPaddingFrames: number;
  /**
   * Encodes one chunk of PCM (`payloadBytes` of it are set, not sealed) from a frame on, as much of
   * it as may keep the event loop, and returns the frame to go on from; `undefined` at its end.
   *
   * A promise says that another thread has the rest of the chunk: it resolves when all that came of
   * it was emitted, and no method but `close` may be called before. After that it stays pending.
   *
   * Ownership: takes over the caller's reference with the call that reaches the end, or throws.
   * Failure: throws a `SourceError`; the encoder is then of no further use.
   */
  encode(pcm: Chunk, startFrame: number, emit: Emit): number | undefined | EncodedElsewhere;
  /**
   * Emits what is left over and forgets the past: the next `encode` starts a new run. Nothing to do
   * the second time.
   */
  flush(emit: Emit): undefined | EncodedElsewhere;
  /**
   * The run that begins next goes on behind `blocks` blocks of a run of another encoder. Where chunks
   * do not say which they are it is missing.
   */
  continueBehind?(blocks: number): void;
  close(): void;
}

export interface EncoderContext {
  /** The format of the PCM that will come. */
  readonly format: SampleFormat;
  /** What stands behind the colon of `codec:options`; empty for the defaults. */
  readonly options: string;
  readonly pool: ChunkPool;
}

/** Samples of all channels that one call of `encode` takes on at most. */
export const maxEncodeSamples = 8192;

/** One codec as the table of codecs knows it. */
export interface Codec {
  readonly name: string;
  /** What `--stream.codec=<name>:?` prints: the options, their ranges and defaults. */
  readonly help: string;
  /** One sentence on the players that cannot play it; absent: every known one can. */
  readonly caveat?: string;
  /** Failure: rejects with a `SourceError` that says what options and formats are allowed. */
  create(context: EncoderContext): Promise<Encoder>;
  /** Does what all encoders of a kind share; absent: `create` does it. Failure: as `create`. */
  warmUp?(context: Omit<EncoderContext, 'pool'>): Promise<void>;
}

/** Failure: throws a `SourceError`. */
export function demandNoOptions(codec: string, options: string): void {
  if (options === '') return;
  throw new SourceError(
    'bad-codec-options',
    `${codec} takes no options, but "${options}" was given: write just ${codec}`,
  );
}
