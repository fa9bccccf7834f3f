import type { JsonObject } from '../base/files/json-fields.ts';
import { displayBands } from '../dsp/mel-scale.ts';
import type { Change } from '../streams/change.ts';
import {
  type BeginWatch,
  LiveRequestError,
  type LiveTopic,
  type LiveViewer,
} from './live-topic.ts';
import { MeterFeed, type MeterFeedOptions, type MeterWatch } from './meter-feed.ts';

/** Names of streams in one watch. */
const maxNames = 256;
const bandCounts: readonly unknown[] = [0, displayBands];

/** Levels, loudness and spectrum of streams. Source: docs/protocol.md, "Live". */
export class MeterTopic implements LiveTopic {
  readonly members = ['meters', 'mel'];
  readonly #options: MeterFeedOptions;
  /** One for all viewers that watch the same. */
  readonly #feeds = new Map<string, MeterFeed>();

  constructor(options: MeterFeedOptions) {
    this.#options = options;
  }

  plan(wanted: JsonObject): BeginWatch | undefined {
    const { meters, mel = 0 } = wanted;
    if (!bandCounts.includes(mel)) {
      throw new LiveRequestError(`"mel" is the number of bands: ${displayBands}, or 0 for none`);
    }
    if (meters === undefined) {
      if (wanted.mel === undefined) return undefined;
      throw new LiveRequestError('"mel" goes with "meters", which says of which streams');
    }
    const watch = { streamIds: namesIn(meters), withMel: mel !== 0 };
    return (viewer) => this.#join(watch, viewer);
  }

  changed(change: Change): void {
    if (!('channel' in change || change.kind === 'stream-order')) return;
    for (const feed of this.#feeds.values()) feed.streamsChanged();
  }

  #join(watch: MeterWatch, viewer: LiveViewer): () => void {
    const key = JSON.stringify(watch);
    const feed = this.#feeds.get(key) ?? new MeterFeed(watch, this.#options);
    this.#feeds.set(key, feed);
    feed.add(viewer);
    return () => {
      if (feed.remove(viewer) > 0) return;
      feed.close();
      this.#feeds.delete(key);
    };
  }
}

function namesIn(meters: unknown): MeterWatch['streamIds'] {
  if (meters === '*') return meters;
  const areNames = Array.isArray(meters) && meters.every((name) => typeof name === 'string');
  if (!areNames || meters.length > maxNames) {
    const example = '"meters" is "*" for all streams, or names of them: ["Radio"]';
    throw new LiveRequestError(`${example}, ${maxNames} at most`);
  }
  return [...new Set<string>(meters)].sort();
}
