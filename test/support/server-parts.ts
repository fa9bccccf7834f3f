import { tmpdir } from 'node:os';
import type { ChunkPool } from '../../src/audio/chunk-pool.ts';
import type { Access } from '../../src/auth/access.ts';
import { monotonicClock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/logger.ts';
import { Registry, type RegistryOptions } from '../../src/clients/registry.ts';
import { GroupControl } from '../../src/players/group-control.ts';
import { MixControl } from '../../src/players/mix-control.ts';
import { PlayerServer, type PlayerServerOptions } from '../../src/players/player-server.ts';
import type { ChangeListener } from '../../src/streams/change.ts';
import { SourceFolders } from '../../src/streams/source-folders.ts';
import { StreamDirectory } from '../../src/streams/stream-directory.ts';
import { StreamFactory, type StreamFactoryOptions } from '../../src/streams/stream-factory.ts';
import type { FanOut } from '../../src/transport/fan-out.ts';
import { streamDefaults } from './reader-rig.ts';

export interface ServerPartsOptions {
  readonly pool: ChunkPool;
  readonly logger: Logger;
  readonly fanOut: FanOut;
  readonly access: Access;
  readonly onChange: ChangeListener;
  /** What is to be other than usual. */
  readonly registry?: Partial<RegistryOptions>;
  readonly factory?: Partial<StreamFactoryOptions>;
  readonly server?: Partial<PlayerServerOptions>;
}

export interface ServerParts {
  readonly registry: Registry;
  readonly streams: StreamDirectory;
  readonly server: PlayerServer;
  readonly groups: GroupControl;
  readonly mixes: MixControl;
}

/** Clients, groups and streams of a server, wired as the application does it. */
export function serverParts(options: ServerPartsOptions): ServerParts {
  const { pool, logger, fanOut, access, onChange } = options;
  const { bufferMs } = streamDefaults;
  const clock = monotonicClock;
  const registry = new Registry({
    bufferMs,
    settings: () => ({ initialVolume: 100, maxClients: 2000 }),
    nowMs: Date.now,
    ...options.registry,
  });
  const factory = new StreamFactory({
    pool,
    clock,
    logger,
    fanOut,
    settings: () => ({ defaults: streamDefaults, pluginDir: '/', sandboxDir: '/' }),
    broadcast: () => ({ bufferMs, sendIntervalMs: 0, instantStart: true, burstBytes: 2 ** 20 }),
    fileGate: new SourceFolders(() => ({ folders: [tmpdir()], own: [] })),
    startControlScript: () => {
      throw new Error('there are no control scripts here');
    },
    onState: (channel) => streams.stateChanged(channel),
    onProperties: (channel) => streams.propertiesChanged(channel),
    ...options.factory,
  });
  const streams = new StreamDirectory({
    factory,
    onChange,
    logger,
    settings: () => ({
      maxStreams: 256,
      maxAddedSamplesEach: 1_536_000,
      maxAddedSamples: 24_576_000,
    }),
  });
  const server: PlayerServer = new PlayerServer({
    clock,
    logger,
    fanOut,
    registry,
    streams,
    access,
    onChange,
    settings: () => ({ sendToMuted: false, helloTimeoutMs: 5000, stallTimeoutMs: 5000 }),
    edges: {
      bufferMs: () => bufferMs,
      timelineId: () => 'test',
      openTime: async () => undefined,
    },
    variantFor: (client, channel) => mixes.variantFor(client, channel),
    overrideOf: (variant) => mixes.overrideOf(variant),
    ...options.server,
  });
  const groups = new GroupControl({ registry, server, streams, bufferMs, onChange });
  const mixes: MixControl = new MixControl({
    ...{ streams, registry, server, logger, clock, bufferMs },
  });
  return { registry, streams, server, groups, mixes };
}
