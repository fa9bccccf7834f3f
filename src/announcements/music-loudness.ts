import { within } from '../base/time/within.ts';
import type { LevelReading } from '../metering/level-meter.ts';
import type { StreamMeters } from '../metering/stream-meters.ts';
import { targetLufs } from './sound-loudness.ts';

/** How much louder than the music a sound is that follows it, and how much louder than usual at most. */
const aboveMusicLu = 4;
const maxMoreDb = 12;
/** The last moment is measured within this time, unless nothing plays. */
const maxMeasureMs = 600;
/** What was mixed is heard in the measures for so long: those of 3 s and of 400 ms. */
const shortTermMs = 3100;
const momentaryMs = 500;

interface MusicLoudnessOptions {
  readonly meters: () => Promise<Pick<StreamMeters, 'watch'>>;
  /** The stream gives audio of its own. */
  readonly isPlaying: (streamId: string) => boolean;
  /** An announcement is mixed over some stream: its audio is not the music alone. */
  readonly isMixing: () => boolean;
}

interface Watched {
  watchers: number;
  lufs: number | undefined;
  stop: (() => void) | undefined;
}

/** How loud streams play when nothing is mixed over them; measured as long as an announcement asks. */
export class MusicLoudness {
  readonly #options: MusicLoudnessOptions;
  readonly #watched = new Map<string, Watched>();
  #mixedMs = Number.NEGATIVE_INFINITY;
  #waiting: (() => void)[] = [];

  constructor(options: MusicLoudnessOptions) {
    this.#options = options;
  }

  /** Measures these streams until `end` resolves. */
  watch(streamIds: Iterable<string>, end: Promise<void>): void {
    for (const id of streamIds) {
      const watched = this.#watched.get(id) ?? { watchers: 0, lufs: undefined, stop: undefined };
      watched.watchers += 1;
      this.#watched.set(id, watched);
      if (watched.watchers === 1) void this.#measure(id, watched);
      void end.then(() => {
        watched.watchers -= 1;
        if (watched.watchers > 0) return;
        this.#watched.delete(id);
        watched.stop?.();
        this.#wake();
      });
    }
  }

  /** Resolves when it is known of all of these that play, or cannot be known soon. */
  async measured(streamIds: readonly string[]): Promise<void> {
    const { isPlaying, isMixing } = this.#options;
    const isMissing = (id: string) => this.#watched.get(id)?.lufs === undefined && isPlaying(id);
    const wait = async () => {
      while (!isMixing() && streamIds.some(isMissing)) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    };
    await within(wait(), maxMeasureMs);
  }

  /** By how much a sound has to be louder than usual over this stream, dB. */
  moreDb(streamId: string): number {
    const lufs = this.#watched.get(streamId)?.lufs ?? Number.NEGATIVE_INFINITY;
    return Math.max(0, Math.min(maxMoreDb, lufs + aboveMusicLu - targetLufs));
  }

  async #measure(streamId: string, watched: Watched): Promise<void> {
    const meters = await this.#options.meters();
    if (watched.watchers === 0) return;
    watched.stop = meters.watch(streamId, (reading) => {
      this.#take(watched, reading);
      this.#wake();
    });
  }

  #wake(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  #take(watched: Watched, { momentaryLufs, shortTermLufs }: LevelReading): void {
    const nowMs = performance.now();
    if (this.#options.isMixing()) this.#mixedMs = nowMs;
    const undisturbedMs = nowMs - this.#mixedMs;
    if (undisturbedMs >= shortTermMs && Number.isFinite(shortTermLufs))
      watched.lufs = shortTermLufs;
    else if (undisturbedMs >= momentaryMs && Number.isFinite(momentaryLufs))
      watched.lufs ??= momentaryLufs;
  }
}
