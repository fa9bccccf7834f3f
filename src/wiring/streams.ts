import { join } from 'node:path';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import { monotonicClock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { Logger } from '../logger.ts';
import { StreamPlugin } from '../plugin/stream-plugin.ts';
import { AddedStreams } from '../server/added-streams.ts';
import type { ChangeListener } from '../server/change.ts';
import type { ImageStore } from '../server/image-store.ts';
import { StreamDirectory } from '../server/stream-directory.ts';
import { StreamFactory } from '../server/stream-factory.ts';
import type { StartPlayer } from '../server/stream-player.ts';
import type { FanOut } from '../transport/fan-out.ts';
import { broadcastOptions, streamDefaults } from './stream-settings.ts';

export interface StreamsOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly pool: ChunkPool;
  readonly fanOut: FanOut;
  readonly images: ImageStore;
  readonly onChange: ChangeListener;
  readonly persist: AddedStreams | undefined;
  /** The port of plain HTTP, as soon as it is known. */
  readonly httpPort: () => number;
}

/** Wires the directory of streams to what builds them. */
export function openStreams(options: StreamsOptions): StreamDirectory {
  const { config, logger, pool, fanOut, onChange, persist } = options;
  const factory = new StreamFactory({
    pool,
    clock: monotonicClock,
    logger,
    fanOut,
    defaults: streamDefaults(config),
    broadcast: broadcastOptions(config),
    pluginDir: config.stream.pluginDir,
    sandboxDir: config.stream.sandboxDir,
    startPlayer: playerStarter(options),
    onState: (channel) => streams.stateChanged(channel),
    onProperties: (channel) => streams.propertiesChanged(channel),
  });
  const streams = new StreamDirectory({ factory, onChange, logger, persist });
  return streams;
}

/** `undefined` unless streams that controllers add are to be kept, and there is a place for that. */
export async function openAddedStreams(
  { stream }: Config,
  { folder, logger }: { readonly folder: string | undefined; readonly logger: Logger },
): Promise<AddedStreams | undefined> {
  if (!stream.persistAdded || folder === undefined) return undefined;
  return AddedStreams.open({ path: join(folder, 'streams.json'), logger });
}

function playerStarter({ config, logger, images, httpPort }: StreamsOptions): StartPlayer {
  const { host, enabled } = config.http;
  return (request) =>
    StreamPlugin.start({
      request,
      http: enabled ? { host, port: httpPort() } : undefined,
      imagePrefix: () => imagePrefix(config, httpPort()),
      images,
      logger,
      clock: monotonicClock,
    });
}

/** Source: protocol reference, 12 and 16.6. */
function imagePrefix({ http }: Config, httpPort: number): string {
  if (http.urlPrefix) return http.urlPrefix.replace(/\/+$/, '');
  return http.sslEnabled
    ? `https://${http.host}:${http.sslPort}`
    : `http://${http.host}:${httpPort}`;
}
