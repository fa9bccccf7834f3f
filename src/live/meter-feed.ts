import type { Stream } from '../audio/stream.ts';
import { displayBands } from '../dsp/mel-scale.ts';
import type { LevelReading } from '../metering/level-meter.ts';
import { MeterFrameWriter, meterFrameVersion } from '../metering/meter-frame.ts';
import type { StreamMeters } from '../metering/stream-meters.ts';
import type { LiveViewer } from './live-topic.ts';

/** What is measured meanwhile is told at once. */
const frameMs = 40;

export interface MeterFeedOptions {
  readonly meters: StreamMeters;
  readonly streamOf: (id: string) => Stream | undefined;
  readonly streamIds: () => Iterable<string>;
  /** Left out where it would cost too much. */
  readonly measuresTruePeak: boolean;
}

export interface MeterWatch {
  /** `*`: of all that there are at the time. */
  readonly streamIds: '*' | readonly string[];
  readonly withMel: boolean;
}

/** Measures what some viewers watch, and tells all of them the same. */
export class MeterFeed {
  readonly #watch: MeterWatch;
  readonly #options: MeterFeedOptions;
  /** Twice the one that watches the same anew, until its watch before ends. */
  readonly #viewers: LiveViewer[] = [];
  /** What ends the measuring of each stream. */
  readonly #measured = new Map<string, () => void>();
  readonly #writer = new MeterFrameWriter();
  #timer: NodeJS.Timeout | undefined;
  /** Places in what the viewers were told of the streams. */
  #indexes: ReadonlyMap<string, number> = new Map();
  #told = '';

  constructor(watch: MeterWatch, options: MeterFeedOptions) {
    this.#watch = watch;
    this.#options = options;
    this.streamsChanged();
  }

  add(viewer: LiveViewer): void {
    viewer.tell({ meters: this.#directory() });
    this.#viewers.push(viewer);
  }

  /** Returns how many are left. */
  remove(viewer: LiveViewer): number {
    this.#viewers.splice(this.#viewers.indexOf(viewer), 1);
    return this.#viewers.length;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const end of this.#measured.values()) end();
    this.#measured.clear();
  }

  streamsChanged(): void {
    const { streamIds } = this.#watch;
    const wanted = new Set(streamIds === '*' ? this.#options.streamIds() : streamIds);
    for (const [id, end] of this.#measured) {
      if (wanted.has(id)) continue;
      this.#measured.delete(id);
      end();
    }
    for (const id of wanted) {
      if (!this.#measured.has(id)) this.#measured.set(id, this.#measure(id));
    }
    const directory = this.#directory();
    const text = JSON.stringify(directory);
    if (text === this.#told) return;
    // What was measured until now goes by the places that it was told by.
    this.#show();
    this.#told = text;
    this.#indexes = new Map(directory.streams.map(({ id }, index) => [id, index]));
    for (const viewer of this.#viewers) viewer.tell({ meters: directory });
  }

  #directory() {
    const { streamOf, measuresTruePeak } = this.#options;
    const streams = [...this.#measured.keys()].flatMap((id) => {
      const stream = streamOf(id);
      if (!stream?.stages) return [];
      const { format, options } = stream;
      return { id, channels: format.channels, rate: format.rateHz, bufferMs: options.bufferMs };
    });
    const mel = this.#watch.withMel ? displayBands : 0;
    return { version: meterFrameVersion, truePeak: measuresTruePeak, mel, streams };
  }

  #measure(id: string): () => void {
    const { meters, measuresTruePeak } = this.#options;
    const onLevels = (levels: LevelReading) =>
      this.#write(id, (index) => this.#writer.addLevels(index, levels.heardUs, levels));
    const ends = [meters.watch(id, onLevels, { measuresTruePeak })];
    if (this.#watch.withMel) {
      const end = meters.watchMel(id, ({ heardUs, bandsDb }) =>
        this.#write(id, (index) => this.#writer.addMel(index, heardUs, bandsDb)),
      );
      ends.push(end);
    }
    return () => {
      for (const end of ends) end();
    };
  }

  #write(id: string, write: (index: number) => void): void {
    const index = this.#indexes.get(id);
    if (index === undefined) return;
    if (this.#writer.isEmpty) this.#timer = setTimeout(() => this.#show(), frameMs);
    write(index);
  }

  #show(): void {
    clearTimeout(this.#timer);
    if (this.#writer.isEmpty) return;
    const frame = this.#writer.take();
    for (const viewer of [...this.#viewers]) viewer.show(frame);
  }
}
