import type { JsonObject } from '../base/files/json-fields.ts';
import type { Clip } from '../clips/clip-facts.ts';
import { readAnnouncement, readChoice } from './announcement-request.ts';
import type { AnnouncementStatus, Announcements } from './announcements.ts';
import { chimeNames } from './chimes.ts';
import type { ClipPlaces } from './clip-loader.ts';

/** Takes what controllers ask of announcements, as they write it. */
export class AnnouncementDesk {
  readonly #announcements: Announcements;
  readonly #places: ClipPlaces;
  readonly #closePlaces: () => Promise<void>;

  constructor(announcements: Announcements, places: ClipPlaces, closePlaces: () => Promise<void>) {
    this.#announcements = announcements;
    this.#places = places;
    this.#closePlaces = closePlaces;
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

  async clips(): Promise<{ readonly chimes: readonly string[]; readonly clips: readonly Clip[] }> {
    return { chimes: chimeNames, clips: await this.#places.library.list() };
  }

  async close(): Promise<void> {
    await this.#announcements.close();
    await this.#closePlaces();
  }
}
