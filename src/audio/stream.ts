import type { SourceError } from '../base/errors.ts';
import type { Buffering } from './buffering.ts';
import type { EncodeFigures } from './encoding.ts';
import type { Mixer } from './mixer.ts';
import type { PcmPast } from './pcm-past.ts';
import type { Reception } from './reception.ts';
import type { SampleFormat } from './sample-format.ts';
import type { StageChain } from './stage-chain.ts';
import type { StreamController } from './stream-controller.ts';
import type { StreamFollowers } from './stream-followers.ts';
import type { StreamOptions } from './stream-options.ts';
import type { VariantInput, VariantOutput } from './variant-input.ts';

/** `disabled`: the stream cannot go on, the log says why. */
export type StreamState = 'idle' | 'playing' | 'disabled';

/**
 * Where the sealed chunks of one channel come from: an `EncodedInput` makes them of a source.
 *
 * Failure: what cannot go on disables this stream and nothing else.
 */
export interface Stream {
  readonly id: string;
  readonly options: StreamOptions;
  readonly state: StreamState;
  /** Why the stream is disabled. */
  readonly fault: SourceError | undefined;
  /** Its name; `null`: no client is sent here. */
  readonly codec: string;
  /** Payload of the codec header message; `undefined` while clients have nothing to decode. */
  readonly header: Uint8Array | undefined;
  /** What comes in, which a file says itself once it is open. */
  readonly format: SampleFormat;
  /** Since the stream was started. */
  readonly encodeFigures: EncodeFigures;
  /** How much faster than this machine's clock the source runs, as far as that shows. */
  readonly driftPpm: number;
  /** Audio that has arrived and waits to be read; `undefined` where that cannot be told. */
  readonly backlogMs: number | undefined;
  /** Of a source that receives packets. */
  readonly reception?: Reception | undefined;
  /** Of a device that the addon hears: how often audio was lost that was not fetched in time. */
  readonly overruns?: number | undefined;
  /** Of a source that buffers ahead. */
  readonly buffering?: Buffering | undefined;
  /** Of a stream that is passed on: chunks that were not, by the reason. */
  readonly relayFigures?: Readonly<Record<string, number>>;
  /** Of its source; `undefined` while that takes no commands. */
  readonly streamController?: StreamController | undefined;
  /** What its PCM passes, of `format`; `undefined` while there is none. */
  readonly stages?: Pick<StageChain, 'add' | 'remove' | 'observe' | 'unobserve'> | undefined;
  /** Those that take what it sends; absent: it has no PCM to give. */
  readonly followers?: Pick<StreamFollowers, 'add' | 'remove'>;
  /**
   * Begins to deliver.
   *
   * Failure: a fault disables the stream; one that is there at once, such as a port that is taken,
   * is known as `fault` when this resolves.
   */
  start(): Promise<void>;
  /** Releases everything; resolves when that is closed. */
  stop(): Promise<void>;
  /** The first listener has come. */
  activate(): void;
  /** The last listener has gone: chunks are of no use before the next one. */
  deactivate(): void;
  /** One more, or one less, listens to the PCM alone: it is read as for a client, but not encoded. */
  addPcmListener?(): void;
  removePcmListener?(): void;
  /** What mixes sound over it; `undefined` when it is not open. Valid until the stream is disabled. */
  openMixer?(): Promise<Mixer | undefined>;
  /** Its PCM, mixed and encoded once more; `undefined` when it is not open. */
  openVariant?(output: VariantOutput): Promise<VariantInput | undefined>;
  /** The PCM of the last buffer, kept from the first call on; `undefined` when it is not open. */
  keepPast?(): Promise<PcmPast | undefined>;
}
