import type { ChunkPool } from '../audio/chunk-pool.ts';
import { MetaFeed } from '../audio/meta-feed.ts';
import { parseMetaOptions } from '../audio/meta-options.ts';
import { warnOfAddress } from '../audio/sources/stream-source.ts';
import type { StreamOptions } from '../audio/stream-options.ts';
import type { StreamProperties } from '../audio/stream-properties.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { loadNativeAddon } from '../base/native/native-addon.ts';
import { openDsp } from '../dsp/dsp.ts';
import { MetaStream } from './meta-stream.ts';
import type { StreamChannel } from './stream-channel.ts';

export interface OpenedMeta {
  readonly feed: MetaFeed;
  readonly stream: MetaStream;
}

interface OpenMetaOptions {
  readonly options: StreamOptions;
  /** Children may come later. */
  readonly mayWait: boolean;
  /** The streams that are there. */
  readonly channels: ReadonlyMap<string, StreamChannel>;
  readonly pool: ChunkPool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onProperties: (properties: StreamProperties) => void;
}

/** Failure: rejects with a `SourceError` that says how to fix the address. */
export async function openMeta(request: OpenMetaOptions): Promise<OpenedMeta> {
  const { options, mayWait, channels, pool, clock, logger, onProperties } = request;
  const { uri, name } = options;
  const warn = (reason: string) => warnOfAddress(logger, uri, reason);
  const meta = parseMetaOptions({ uri, warn });
  const dsp = await openDsp(loadNativeAddon());
  const feed: MetaFeed = new MetaFeed({
    ...{ stream: options, meta, pool, clock, dsp, logger },
    onActive: () => stream.showProperties(),
  });
  const stream = new MetaStream({ name, meta, feed, mayWait, onProperties, warn });
  stream.check(channels);
  return { feed, stream };
}
