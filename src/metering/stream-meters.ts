import type { Stream } from '../audio/stream.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { LevelMeter, type LevelReading } from './level-meter.ts';
import { MelMeter, type MelReading } from './mel-meter.ts';
import { WatchedStreams } from './watched-streams.ts';

/** Of what has less treble there is nothing to see. */
const leastMelRateHz = 8000;

interface StreamMetersOptions {
  readonly streamOf: (id: string) => Stream | undefined;
  readonly dsp: Dsp;
}

/** Takes the readings of a stream. Ownership: a reading is valid within the call. */
export type LevelWatcher = (reading: LevelReading) => void;

/**
 * Measures the streams that are watched, and no others. To watch is not to listen: a source that is
 * read on demand is silent while there is no listener.
 */
export class StreamMeters {
  readonly #levels: WatchedStreams<LevelReading>;
  readonly #levelsWithoutTruePeak: WatchedStreams<LevelReading>;
  readonly #mel: WatchedStreams<MelReading>;

  constructor({ streamOf, dsp }: StreamMetersOptions) {
    const shared = ({ format, options }: Stream) => ({ format, bufferMs: options.bufferMs, dsp });
    const levels = (measuresTruePeak: boolean) =>
      new WatchedStreams<LevelReading>({
        streamOf,
        measure: (stream, onReading) =>
          new LevelMeter({ ...shared(stream), measuresTruePeak, onReading }),
      });
    this.#levels = levels(true);
    this.#levelsWithoutTruePeak = levels(false);
    this.#mel = new WatchedStreams({
      streamOf,
      measure: (stream, onReading) =>
        stream.format.rateHz < leastMelRateHz
          ? undefined
          : new MelMeter({ ...shared(stream), onReading }),
    });
  }

  /**
   * Tells `watcher` of the stream of this name, now or once there is one. Returns what ends that.
   *
   * @param measuresTruePeak costs two fifths of all, more where there is no addon.
   */
  watch(streamId: string, watcher: LevelWatcher, { measuresTruePeak = true } = {}): () => void {
    const levels = measuresTruePeak ? this.#levels : this.#levelsWithoutTruePeak;
    return levels.watch(streamId, watcher);
  }

  /** The same for its spectrum. */
  watchMel(streamId: string, watcher: (reading: MelReading) => void): () => void {
    return this.#mel.watch(streamId, watcher);
  }

  /** Streams have come, gone or changed their state. */
  streamsChanged(): void {
    this.#levels.streamsChanged();
    this.#levelsWithoutTruePeak.streamsChanged();
    this.#mel.streamsChanged();
  }
}
