import type { SampleFormat } from './sample-format.ts';

/** The rate and the channels in which sound has to come to be mixed over a stream. */
export type MixFormat = Pick<SampleFormat, 'rateHz' | 'channels'>;

/**
 * Sound to be mixed over a stream: interleaved float32, full scale 1.
 *
 * Shape: pulled on the playout timeline, about once per chunk of the stream.
 * Failure: what throws ends the mix as `failed`, and nothing else.
 */
export interface MixInput {
  /**
   * Fills from the start of `target` and returns how many frames it gave. Fewer than `neededFrames`:
   * the rest of them is silence now, a stall, unless `hasEnded`. What goes beyond is read ahead, and
   * may be late.
   */
  read(target: Float32Array, neededFrames: number): number;
  readonly hasEnded: boolean;
  /** Is called once, when the mix is over or cannot begin. */
  close(): void;
}

/** Units: dB and milliseconds; the ranges are for the caller to check. */
export interface MixSettings {
  /** What becomes of the music: 0 nothing, -60 or less silence. */
  readonly duckDb: number;
  /** From the music as it is to full depth, which is reached when the sound or its lead begins. */
  readonly attackMs: number;
  /** For so long the music stays down behind the sound and its tail. */
  readonly holdMs: number;
  readonly releaseMs: number;
  readonly fadeInMs: number;
  readonly fadeOutMs: number;
  /** Silence before and behind the sound while the music is down. */
  readonly leadMs: number;
  readonly tailMs: number;
  readonly gainDb: number;
  /** Silence before the sound where nothing plays, while players open their device. */
  readonly wakeMs: number;
  /** Server time of capture of the first sample, microseconds; absent, or too early: what is soonest. */
  readonly startUs?: number;
}

/** Why a mix is over; `gone`: no stream or listener of it is left. */
export type MixEnd = 'ended' | 'stopped' | 'failed' | 'gone';

/** Sound that is being mixed. */
export interface Mix {
  /** When its first sample counts as captured; it is heard the buffer later. */
  readonly startUs: number;
  /** Fades it out from now on; the music is released at once behind. Nothing the second time. */
  stop(fadeMs: number): void;
}
