import type { JsonObject } from '../base/files/json-fields.ts';
import type { Logger } from '../base/logger.ts';
import { jsonOfClip } from '../clips/clip-json.ts';
import type { Dsp } from '../dsp/dsp.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import { readAnnouncement, readChoice } from './announcement-request.ts';
import type { AnnouncementStatus, Announcements } from './announcements.ts';
import { chimeNames } from './chimes.ts';
import type { ClipPlaces } from './clip-loader.ts';
import { LiveAnnouncer } from './live-announcer.ts';

interface DeskOptions {
  readonly places: ClipPlaces;
  readonly dsp: Dsp;
  readonly logger: Logger;
}

/** Takes what controllers ask of announcements, as they write it. */
export class AnnouncementDesk {
  readonly #options: DeskOptions;
  readonly #announcements: Announcements;
  readonly #announcers = new Map<StreamChannel, LiveAnnouncer>();

  constructor(announcements: Announcements, options: DeskOptions) {
    this.#announcements = announcements;
    this.#options = options;
  }

  /**
   * Shape: `upload` is a sound file, given instead of naming one.
   * Failure: rejects with an `RpcError` that names a bad parameter, an `AnnounceError` or a `ClipError`.
   */
  async play(members: JsonObject, upload?: Uint8Array): Promise<AnnouncementStatus> {
    return this.#announcements.play(readAnnouncement(members, upload));
  }

  /** Resolves when it has been heard, or is over otherwise; `undefined` when there is none of this id. */
  heard(id: string): Promise<AnnouncementStatus | undefined> {
    return this.#announcements.heard(id);
  }

  /** Returns the ids of those that were stopped. Failure: throws an `RpcError` or `AnnounceError`. */
  stop(members: JsonObject): readonly string[] {
    return this.#announcements.stop(readChoice(members));
  }

  list(): readonly AnnouncementStatus[] {
    return this.#announcements.list();
  }

  async clips(): Promise<{
    readonly chimes: readonly string[];
    readonly clips: readonly object[];
  }> {
    const clips = await this.#options.places.library.list();
    return { chimes: chimeNames, clips: clips.map(jsonOfClip) };
  }

  /** Those that play now are mixed over others while they do. */
  reviewAnnouncers(channels: Iterable<StreamChannel>): void {
    const present = new Set([...channels].filter(({ stream }) => stream.options.isAnnouncer));
    for (const [channel, announcer] of this.#announcers) {
      if (present.has(channel) && channel.stream.state !== 'disabled') continue;
      announcer.close();
      this.#announcers.delete(channel);
    }
    const { dsp, logger } = this.#options;
    const announcements = this.#announcements;
    for (const channel of present) {
      if (this.#announcers.has(channel) || channel.stream.state === 'disabled') continue;
      const announcer = new LiveAnnouncer({ channel, announcements, dsp, logger });
      this.#announcers.set(channel, announcer);
    }
  }

  async close(): Promise<void> {
    for (const announcer of this.#announcers.values()) announcer.close();
    await this.#announcements.close();
  }
}
