import type { PcmObserver, TimedPcm } from './stage.ts';

/** Takes what a stream sends, before anything is mixed over it and before it is encoded. */
export interface StreamFollower extends PcmObserver {
  /**
   * Whether the stream plays by its own judgement; `atUs`: since the audio that was captured then,
   * absent when no audio tells.
   *
   * Shape: told once when it begins to follow, and before the PCM that made the difference.
   */
  playing(isPlaying: boolean, atUs?: number): void;
  /** Nothing comes before `resume`, though the run is not over. */
  suspend(): void;
  resume(): void;
  /** What was given is too old to be played. */
  clear(): void;
}

/**
 * The followers of one stream, as one.
 *
 * Failure: one that throws is closed and told nothing more.
 */
export class StreamFollowers implements StreamFollower {
  readonly #onFailure: (error: unknown) => void;
  #followers: readonly StreamFollower[] = [];
  #isPlaying = false;
  #isSuspended = false;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  get isEmpty(): boolean {
    return this.#followers.length === 0;
  }

  /** From the next PCM on. */
  add(follower: StreamFollower): void {
    this.#followers = [...this.#followers, follower];
    if (this.#isSuspended) this.#tell(follower, () => follower.suspend());
    this.#tell(follower, () => follower.playing(this.#isPlaying));
  }

  remove(follower: StreamFollower): void {
    this.#followers = this.#followers.filter((other) => other !== follower);
  }

  playing(isPlaying: boolean, atUs?: number): void {
    this.#isPlaying = isPlaying;
    this.#tellAll((follower) => follower.playing(isPlaying, atUs));
  }

  take(pcm: TimedPcm): void {
    this.#tellAll((follower) => follower.take(pcm));
  }

  endRun(): void {
    this.#tellAll((follower) => follower.endRun());
  }

  suspend(): void {
    this.#isSuspended = true;
    this.#tellAll((follower) => follower.suspend());
  }

  resume(): void {
    this.#isSuspended = false;
    this.#tellAll((follower) => follower.resume());
  }

  clear(): void {
    this.#tellAll((follower) => follower.clear());
  }

  close(): void {
    this.#isPlaying = false;
    const followers = this.#followers;
    this.#followers = [];
    for (const follower of followers) this.#tell(follower, () => follower.close?.());
  }

  #tellAll(tell: (follower: StreamFollower) => void): void {
    for (const follower of this.#followers) this.#tell(follower, () => tell(follower));
  }

  #tell(follower: StreamFollower, tell: () => void): void {
    try {
      tell();
    } catch (error) {
      const isIn = this.#followers.includes(follower);
      this.remove(follower);
      this.#onFailure(error);
      if (isIn) this.#tell(follower, () => follower.close?.());
    }
  }
}
