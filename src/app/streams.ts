import { join } from 'node:path';
import type { ChunkPool } from '../audio/chunk-pool.ts';
import type { FileGate } from '../audio/sources/file-gate.ts';
import type { CoverKeeper, SourceSurroundings } from '../audio/sources/stream-source.ts';
import type { StreamDefaults } from '../audio/stream-options.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Config } from '../config/config.ts';
import { AddedStreams } from '../streams/added-streams.ts';
import type { ChangeListener } from '../streams/change.ts';
import type { StartControlScript } from '../streams/control-script.ts';
import { type ImageStore, imageAddress, maxImageBytes } from '../streams/image-store.ts';
import { StreamPlugin } from '../streams/plugin/stream-plugin.ts';
import { SourceFolders } from '../streams/source-folders.ts';
import { StreamDirectory } from '../streams/stream-directory.ts';
import { StreamFactory, type StreamFactoryOptions } from '../streams/stream-factory.ts';
import { type BroadcastOptions, playablePastMs } from '../transport/broadcast.ts';
import type { FanOut } from '../transport/fan-out.ts';
import { autoZeroCopyMinBytes, type ZeroCopyOptions } from '../transport/native-fan-out.ts';

/** `resync_tolerance = auto`: a share of the buffer, but never more than this. */
const autoToleranceShare = 4;
const maxAutoToleranceMs = 250;

interface StreamsOptions {
  /** The configuration that holds now. */
  readonly settings: () => Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pool: ChunkPool;
  readonly fanOut: FanOut;
  readonly images: ImageStore;
  /** What the sources of all streams share. */
  readonly surroundings: Required<
    Omit<SourceSurroundings, 'allowsPrivateHosts' | 'coverKeeper' | 'fileGate'>
  >;
  readonly onChange: ChangeListener;
  readonly onTrouble: Required<StreamFactoryOptions>['onTrouble'];
  readonly openLink: Required<StreamFactoryOptions>['openLink'];
  readonly persist: AddedStreams | undefined;
  /** Files and folders of the server that the configuration does not name. */
  readonly own: readonly string[];
  /** The port of plain HTTP, as soon as it is known. */
  readonly httpPort: () => number;
}

/** Wires the directory of streams to what builds them. */
export function openStreams(options: StreamsOptions): StreamDirectory {
  const { settings, clock, logger, pool, fanOut, onChange, persist } = options;
  const factory = new StreamFactory({
    pool,
    clock,
    logger,
    fanOut,
    settings: () => {
      const { pluginDir, sandboxDir, radioPrivate } = settings().stream;
      return { defaults: streamDefaults(settings()), pluginDir, sandboxDir, radioPrivate };
    },
    broadcast: () => broadcastOptions(settings()),
    openLink: options.openLink,
    onOutmoded: (channel) => void streams.renew(channel),
    fileGate: openFileGate(options),
    startControlScript: controlScriptStarter(options),
    surroundings: { ...options.surroundings, coverKeeper: coverKeepers(options) },
    onState: (channel) => streams.stateChanged(channel),
    onProperties: (channel) => streams.propertiesChanged(channel),
    onTrouble: options.onTrouble,
  });
  const streams = new StreamDirectory({
    factory,
    onChange,
    logger,
    persist,
    settings: () => ({
      ...settings().limits,
      defaultSource: settings().stream.defaultSource,
    }),
  });
  return streams;
}

/** What controllers may have read of this machine. */
export function openFileGate({
  settings,
  own,
}: Pick<StreamsOptions, 'settings' | 'own'>): FileGate {
  return new SourceFolders(() => ({
    folders: settings().stream.sourceDir,
    own: [...own, ...ownPaths(settings())],
  }));
}

/** `undefined` unless streams that controllers add are to be kept, and there is a place for that. */
export async function openAddedStreams(
  { stream }: Config,
  { folder, logger }: { readonly folder: string | undefined; readonly logger: Logger },
): Promise<AddedStreams | undefined> {
  if (!stream.persistAdded || folder === undefined) return undefined;
  return AddedStreams.open({ path: join(folder, 'streams.json'), logger });
}

/** What holds for streams whose address does not say otherwise. */
export function streamDefaults({ stream }: Config): StreamDefaults {
  const autoToleranceMs = Math.min(maxAutoToleranceMs, stream.buffer / autoToleranceShare);
  return {
    format: stream.sampleformat,
    codec: stream.codec,
    chunkMs: stream.chunkMs,
    bufferMs: stream.buffer,
    pastMs: playablePastMs(stream.buffer),
    resyncToleranceMs: stream.resyncTolerance === 'auto' ? autoToleranceMs : stream.resyncTolerance,
  };
}

export function broadcastOptions({ stream }: Config): BroadcastOptions {
  return {
    bufferMs: stream.buffer,
    sendIntervalMs: stream.sendInterval,
    instantStart: stream.instantStart,
    burstBytes: stream.instantStartBurst * 1024,
  };
}

/** `undefined` while zero-copy is off. */
export function zeroCopyOptions({ stream }: Config): ZeroCopyOptions | undefined {
  if (!stream.zerocopy) return undefined;
  const minBytes =
    stream.zerocopyMinBytes === 'auto' ? autoZeroCopyMinBytes : stream.zerocopyMinBytes;
  return { minBytes, mode: stream.zerocopyMode };
}

/** Files and folders of the server itself that its configuration names. */
function ownPaths({ server, ssl, logging }: Config): readonly string[] {
  const [, logFile = ''] = /^file:(.+)$/s.exec(logging.sink) ?? [];
  const { certificateKey, certificate } = ssl;
  const { datadir, pidfile } = server;
  return [datadir, pidfile, logFile, certificate, certificateKey].filter((path) => path !== '');
}

function controlScriptStarter(options: StreamsOptions): StartControlScript {
  const { settings, clock, logger, images, httpPort, surroundings } = options;
  return (request) => {
    const { host, enabled } = settings().http;
    return StreamPlugin.start({
      request,
      http: enabled ? { host, port: httpPort() } : undefined,
      imagePrefix: () => imagePrefix(settings(), httpPort()),
      images,
      logger,
      clock,
      children: surroundings.children,
    });
  };
}

/** Covers that sources bring have the limit and the addresses of those of control scripts. */
function coverKeepers({ settings, images, httpPort }: StreamsOptions) {
  return (streamId: string): CoverKeeper => ({
    keep: (cover) => {
      if (cover.bytes.length > maxImageBytes) return undefined;
      const name = images.put(streamId, cover);
      return imageAddress(imagePrefix(settings(), httpPort()), name);
    },
    forget: () => images.remove(streamId),
  });
}

/** Source: protocol reference, 12 and 16.6. */
function imagePrefix({ http }: Config, httpPort: number): string {
  if (http.urlPrefix) return http.urlPrefix.replace(/\/+$/, '');
  return http.sslEnabled
    ? `https://${http.host}:${http.sslPort}`
    : `http://${http.host}:${httpPort}`;
}
