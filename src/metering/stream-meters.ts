import type { Stream } from '../audio/stream.ts';
import type { Dsp } from '../dsp/dsp.ts';
import { LevelMeter, type LevelReading } from './level-meter.ts';

interface StreamMetersOptions {
  readonly streamOf: (id: string) => Stream | undefined;
  readonly dsp: Dsp;
}

/** Takes the readings of a stream. Ownership: a reading is valid within the call. */
export type LevelWatcher = (reading: LevelReading) => void;

/** Those who watch one stream, whichever has its name, and what measures it at present. */
interface Watched {
  readonly watchers: Set<LevelWatcher>;
  measuring:
    | { readonly stages: NonNullable<Stream['stages']>; readonly meter: LevelMeter }
    | undefined;
}

/**
 * Measures the streams that are watched, and no others. To watch is not to listen: a source that is
 * read on demand is silent while there is no listener.
 */
export class StreamMeters {
  readonly #options: StreamMetersOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: StreamMetersOptions) {
    this.#options = options;
  }

  /** Tells `watcher` of the stream of this name, now or once there is one. Returns what ends that. */
  watch(streamId: string, watcher: LevelWatcher): () => void {
    const watched = this.#watched.get(streamId) ?? { watchers: new Set(), measuring: undefined };
    // One of its own, as a function may watch twice.
    const own: LevelWatcher = (reading) => watcher(reading);
    watched.watchers.add(own);
    this.#watched.set(streamId, watched);
    this.#follow(streamId, watched);
    return () => this.#unwatch(streamId, own);
  }

  /** Streams have come, gone or changed their state. */
  streamsChanged(): void {
    for (const [streamId, watched] of this.#watched) this.#follow(streamId, watched);
  }

  #unwatch(streamId: string, watcher: LevelWatcher): void {
    const watched = this.#watched.get(streamId);
    if (!watched?.watchers.delete(watcher) || watched.watchers.size > 0) return;
    this.#watched.delete(streamId);
    this.#detach(watched);
  }

  #follow(streamId: string, watched: Watched): void {
    const stream = this.#options.streamOf(streamId);
    if (watched.measuring?.stages === stream?.stages) return;
    this.#detach(watched);
    if (stream?.stages) this.#attach(stream, watched);
  }

  #attach(stream: Stream, watched: Watched): void {
    const { stages, format, options } = stream;
    if (!stages) return;
    const meter = new LevelMeter({
      format,
      bufferMs: options.bufferMs,
      dsp: this.#options.dsp,
      onReading: (reading) => {
        for (const watcher of watched.watchers) watcher(reading);
      },
    });
    stages.observe(meter);
    watched.measuring = { stages, meter };
  }

  #detach(watched: Watched): void {
    const { measuring } = watched;
    if (!measuring) return;
    watched.measuring = undefined;
    measuring.stages.unobserve(measuring.meter);
    // To those who are left.
    measuring.meter.endRun();
  }
}
