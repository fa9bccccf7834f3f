import type { SampleFormat } from './sample-format.ts';
import { SilenceDetector } from './silence.ts';
import type { Stage, TimedPcm } from './stage.ts';
import type { StreamOptions } from './stream-options.ts';

/** Follows whether a stream plays, and keeps back the silence that its options do not want sent. */
export class Activity implements Stage {
  readonly delayFrames = 0;
  readonly #silence: SilenceDetector;
  readonly #options: StreamOptions;
  readonly #onChange: (isPlaying: boolean, atUs?: number) => void;
  #isPlaying = false;
  #silentSinceUs: number | undefined;
  #isKeptBack = false;

  constructor(
    format: SampleFormat,
    options: StreamOptions,
    /** `atUs`: since the audio that was captured then; absent when none comes any more. */
    onChange: (isPlaying: boolean, atUs?: number) => void,
  ) {
    this.#silence = new SilenceDetector(format, options.silenceThresholdPercent);
    this.#options = options;
    this.#onChange = onChange;
  }

  process(pcm: TimedPcm): TimedPcm | undefined {
    if (!pcm.endsRun) this.#isKeptBack = this.#isUnwanted(pcm);
    if (!this.#isKeptBack) return pcm;
    pcm.chunk.release();
    return undefined;
  }

  /** No audio comes any more. */
  end(): void {
    this.#setPlaying(false);
  }

  #isUnwanted({ chunk, timestampUs }: TimedPcm): boolean {
    if (!this.#silence.isSilent(chunk.payload)) {
      this.#silentSinceUs = undefined;
      this.#setPlaying(true, timestampUs);
      return false;
    }
    this.#silentSinceUs ??= timestampUs;
    const silentUs = timestampUs - this.#silentSinceUs;
    if (silentUs >= this.#options.idleThresholdMs * 1000) this.#setPlaying(false, timestampUs);
    return !this.#options.sendSilence && !this.#isPlaying;
  }

  #setPlaying(isPlaying: boolean, atUs?: number): void {
    if (isPlaying === this.#isPlaying) return;
    this.#isPlaying = isPlaying;
    this.#onChange(isPlaying, atUs);
  }
}
