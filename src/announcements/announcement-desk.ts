import type { JsonObject } from '../base/files/json-fields.ts';
import type { Logger } from '../base/logger.ts';
import type { GroupRecord } from '../clients/client-record.ts';
import { jsonOfClip } from '../clips/clip-json.ts';
import type { Config } from '../config/config.ts';
import type { Dsp } from '../dsp/dsp.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import { readAnnouncement, readChoice } from './announcement-request.ts';
import type { AnnouncementStatus, Announcements } from './announcements.ts';
import { chimeNames } from './chimes.ts';
import type { ClipPlaces } from './clip-loader.ts';
import { LiveAnnouncer, membersOfAddress } from './live-announcer.ts';
import { maxUploadBytes } from './upload-limit.ts';

interface DeskOptions {
  readonly places: ClipPlaces;
  readonly settings: () => Pick<Config['announce'], 'duckDb' | 'maxSeconds' | 'ttsCommand'>;
  readonly dsp: Dsp;
  readonly logger: Logger;
}

/** Takes what controllers ask of announcements, as they write it. */
export class AnnouncementDesk {
  readonly #options: DeskOptions;
  readonly #announcements: Announcements;
  readonly #announcers = new Map<StreamChannel, LiveAnnouncer>();
  /** Of groups whose own stream is mixed over another one. */
  readonly #ofGroups = new Map<GroupRecord, LiveAnnouncer>();

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

  get recent(): readonly object[] {
    return this.#announcements.recent;
  }

  /** Failure: as of `play`. */
  playAgain(id: string): Promise<AnnouncementStatus> {
    return this.#announcements.playAgain(id);
  }

  /** What can be played, and what holds where a request says nothing else. */
  async clips(): Promise<object> {
    const { places, settings } = this.#options;
    const clips = await places.library.list();
    const { duckDb, maxSeconds, ttsCommand } = settings();
    return {
      chimes: chimeNames,
      clips: clips.map(jsonOfClip),
      speech: ttsCommand !== '',
      duck_db: duckDb,
      limits: { seconds: maxSeconds, upload_bytes: maxUploadBytes },
    };
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
      const members = membersOfAddress(channel.stream.options.uri.query);
      const announcer = new LiveAnnouncer({ channel, members, announcements, dsp, logger });
      this.#announcers.set(channel, announcer);
    }
  }

  /** The own stream of those that play another one under it is mixed over that, and no more of others. */
  reviewGroups(
    groups: ReadonlySet<GroupRecord>,
    streams: ReadonlyMap<string, StreamChannel>,
  ): void {
    const ownOf = ({ underId, streamId }: GroupRecord) => {
      const isUnder = underId !== undefined && streams.get(underId)?.isPlayable;
      const own = isUnder ? streams.get(streamId) : undefined;
      return own?.isPlayable ? own : undefined;
    };
    for (const [group, announcer] of this.#ofGroups) {
      if (groups.has(group) && ownOf(group) === announcer.channel) continue;
      announcer.close();
      this.#ofGroups.delete(group);
    }
    const { dsp, logger } = this.#options;
    for (const group of groups) {
      const channel = ownOf(group);
      if (!channel || this.#ofGroups.has(group)) continue;
      // It would have been heard at once, whatever else is announced.
      const members = { targets: { groups: [group.id] }, priority: 'high' };
      const parts = { channel, members, dsp, logger, announcements: this.#announcements };
      this.#ofGroups.set(group, new LiveAnnouncer(parts));
    }
  }

  async close(): Promise<void> {
    const announcers = [...this.#announcers.values(), ...this.#ofGroups.values()];
    for (const announcer of announcers) announcer.close();
    await this.#announcements.close();
  }
}
