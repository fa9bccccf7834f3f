import { AnnouncementDesk } from '../announcements/announcement-desk.ts';
import { type AnnouncementStatus, Announcements } from '../announcements/announcements.ts';
import { ClipLoader } from '../announcements/clip-loader.ts';
import type { ChildPlaces } from '../base/children/child-places.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { loadNativeAddon } from '../base/native/native-addon.ts';
import type { Registry } from '../clients/registry.ts';
import type { ClipParts } from '../clips/open-clips.ts';
import type { Config } from '../config/config.ts';
import { openDsp } from '../dsp/dsp.ts';
import type { StreamMeters } from '../metering/stream-meters.ts';
import type { MixControl } from '../players/mix-control.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';

interface DeskOptions {
  readonly settings: () => Config;
  readonly registry: Registry;
  readonly streams: StreamDirectory;
  readonly mixes: MixControl;
  /** Closed by the caller, after the desk. */
  readonly clips: Pick<ClipParts, 'library' | 'decoder'>;
  readonly children: ChildPlaces;
  readonly meters: () => Promise<StreamMeters>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onUpdate: (status: AnnouncementStatus) => void;
}

/** All that announcements need; loaded when the first one is asked for. */
export async function openDesk(options: DeskOptions): Promise<AnnouncementDesk> {
  const { settings, children, clips, ...rest } = options;
  const announce = () => settings().announce;
  const loader = new ClipLoader({
    places: clips,
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
    places: clips,
    settings: announce,
    dsp: await openDsp(loadNativeAddon()),
    logger: options.logger,
  });
}
