import type { PcmObserver } from '../audio/stage.ts';
import type { Stream } from '../audio/stream.ts';

/** Takes the readings of a stream. Ownership: a reading is valid within the call. */
type Watcher<Reading> = (reading: Reading) => void;

interface WatchedStreamsOptions<Reading> {
  readonly streamOf: (id: string) => Stream | undefined;
  /** Makes what measures a stream and tells of it; `undefined` where there is nothing to measure. */
  readonly measure: (stream: Stream, tell: Watcher<Reading>) => PcmObserver | undefined;
}

/** Those who watch one stream, whichever has its name, and what measures it at present. */
interface Watched<Reading> {
  readonly watchers: Set<Watcher<Reading>>;
  measuring:
    | { readonly stages: NonNullable<Stream['stages']>; readonly meter: PcmObserver }
    | undefined;
}

/** Measures one thing of the streams that are watched, once for all who watch, and no others. */
export class WatchedStreams<Reading> {
  readonly #options: WatchedStreamsOptions<Reading>;
  readonly #watched = new Map<string, Watched<Reading>>();

  constructor(options: WatchedStreamsOptions<Reading>) {
    this.#options = options;
  }

  /** Tells `watcher` of the stream of this name, now or once there is one. Returns what ends that. */
  watch(streamId: string, watcher: Watcher<Reading>): () => void {
    const watched = this.#watched.get(streamId) ?? { watchers: new Set(), measuring: undefined };
    // One of its own, as a function may watch twice.
    const own: Watcher<Reading> = (reading) => watcher(reading);
    watched.watchers.add(own);
    this.#watched.set(streamId, watched);
    this.#follow(streamId, watched);
    return () => this.#unwatch(streamId, own);
  }

  /** Streams have come, gone or changed their state. */
  streamsChanged(): void {
    for (const [streamId, watched] of this.#watched) this.#follow(streamId, watched);
  }

  #unwatch(streamId: string, watcher: Watcher<Reading>): void {
    const watched = this.#watched.get(streamId);
    if (!watched?.watchers.delete(watcher) || watched.watchers.size > 0) return;
    this.#watched.delete(streamId);
    this.#detach(watched);
  }

  #follow(streamId: string, watched: Watched<Reading>): void {
    const stream = this.#options.streamOf(streamId);
    if (watched.measuring?.stages === stream?.stages) return;
    this.#detach(watched);
    if (stream?.stages) this.#attach(stream, stream.stages, watched);
  }

  #attach(stream: Stream, stages: NonNullable<Stream['stages']>, watched: Watched<Reading>): void {
    const meter = this.#options.measure(stream, (reading) => {
      for (const watcher of watched.watchers) watcher(reading);
    });
    if (!meter) return;
    stages.observe(meter);
    watched.measuring = { stages, meter };
  }

  #detach(watched: Watched<Reading>): void {
    const { measuring } = watched;
    if (!measuring) return;
    watched.measuring = undefined;
    measuring.stages.unobserve(measuring.meter);
    // To those who are left.
    measuring.meter.endRun();
  }
}
