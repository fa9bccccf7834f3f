import { join } from 'node:path';
import { AnnouncementDesk } from '../announcements/announcement-desk.ts';
import { type AnnouncementStatus, Announcements } from '../announcements/announcements.ts';
import { ClipLoader } from '../announcements/clip-loader.ts';
import type { ChildPlaces } from '../base/children/child-places.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { loadNativeAddon, type NativeAddon } from '../base/native/native-addon.ts';
import type { Registry } from '../clients/registry.ts';
import { ClipDecoder } from '../clips/clip-decoder.ts';
import { ClipLibrary } from '../clips/clip-library.ts';
import { FileCopier } from '../clips/file-copier.ts';
import type { Config } from '../config/config.ts';
import { openDsp } from '../dsp/dsp.ts';
import type { MixControl } from '../players/mix-control.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';

const maxClipBytes = 32 * 1024 * 1024;

interface DeskOptions {
  readonly settings: () => Config;
  readonly registry: Registry;
  readonly streams: StreamDirectory;
  readonly mixes: MixControl;
  readonly dataFolder: string | undefined;
  readonly children: ChildPlaces;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onUpdate: (status: AnnouncementStatus) => void;
}

/** All that announcements need; loaded when the first one is asked for. */
export async function openDesk(options: DeskOptions): Promise<AnnouncementDesk> {
  const { settings, children, dataFolder, ...rest } = options;
  const announce = () => settings().announce;
  const native = loadNativeAddon();
  const functions: Partial<NativeAddon> = 'addon' in native ? native.addon : {};
  const decoder = new ClipDecoder();
  const library = new ClipLibrary({
    // Where the server keeps nothing there is no library either.
    folder: dataFolder === undefined ? '' : join(dataFolder, 'clips'),
    decoder,
    copier: new FileCopier(functions, () => ({
      zeroCopy: true,
      minBytes: maxClipBytes,
      verify: true,
      chunkBytes: maxClipBytes,
    })),
    lockFile: functions.lockFile,
    settings: () => ({
      maxClipBytes,
      maxClips: 1000,
      maxTotalBytes: 1000 * maxClipBytes,
      maxSeconds: announce().maxSeconds,
      rawFormat: settings().stream.sampleformat,
    }),
  });
  const places = { library, decoder };
  const loader = new ClipLoader({
    places,
    children,
    settings: () => {
      const { allowedHost, ttsCommand, maxSeconds } = announce();
      return { allowedHosts: allowedHost, ttsCommand, maxSeconds };
    },
  });
  const { buffer } = settings().stream;
  const announcements = new Announcements({
    ...rest,
    loader,
    settings: announce,
    bufferMs: buffer,
  });
  return new AnnouncementDesk(announcements, {
    places,
    closePlaces: () => decoder.close(),
    dsp: await openDsp(native),
    logger: options.logger,
  });
}
