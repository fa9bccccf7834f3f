import { cutText } from '../base/foreign-text.ts';
import { AnnounceError } from './announce-error.ts';
import type { AnnouncementRequest, TargetNames } from './announcement-request.ts';
import type { AnnouncementState } from './announcement-run.ts';

const maxRecent = 20;
const maxLabelLength = 80;

type Origin = AnnouncementRequest['origin'];

/** An announcement of late, as controllers see it. */
export interface RecentAnnouncement {
  readonly id: string;
  /** When it was asked for, in milliseconds since 1970. */
  readonly at: number;
  readonly state: AnnouncementState;
  readonly kind: Origin['kind'];
  /** What was played, as far as others may know: of an address only the host. */
  readonly label: string;
  readonly targets: TargetNames;
  readonly tag?: string;
  /** Whether it can be played again: what was uploaded is not kept. */
  readonly again: boolean;
}

interface Kept {
  readonly key: string;
  readonly request: AnnouncementRequest;
  state: AnnouncementState;
  readonly atMs: number;
}

/** The last announcements, each of them once. */
export class RecentAnnouncements {
  /** By id; the oldest first. */
  readonly #kept = new Map<string, Kept>();

  add(id: string, request: AnnouncementRequest): void {
    const { origin, targets, tag } = request;
    if (origin.kind === 'live') return;
    const what = origin.kind === 'upload' ? '' : origin.value;
    const key = JSON.stringify([origin.kind, what, targets, tag]);
    for (const [other, kept] of this.#kept) if (kept.key === key) this.#kept.delete(other);
    const isUpload = origin.kind === 'upload';
    const kept = isUpload
      ? { ...request, origin: { ...origin, bytes: new Uint8Array() } }
      : request;
    this.#kept.set(id, { key, request: kept, state: 'queued', atMs: Date.now() });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxRecent && oldest !== undefined) this.#kept.delete(oldest);
  }

  enter(id: string, state: AnnouncementState): void {
    const kept = this.#kept.get(id);
    if (kept) kept.state = state;
  }

  /** The newest first. */
  list(): readonly RecentAnnouncement[] {
    return [...this.#kept].reverse().map(([id, { request, state, atMs }]) => {
      const { origin, targets, tag } = request;
      const { kind } = origin;
      const about = { id, at: atMs, state, kind, label: labelOf(request), targets };
      return { ...about, ...(tag !== undefined && { tag }), again: kind !== 'upload' };
    });
  }

  /** For another time, without the time that it had. Failure: throws an `AnnounceError`. */
  requestOf(id: string): AnnouncementRequest {
    const kept = this.#kept.get(id);
    if (!kept) throw new AnnounceError('unknown-announcement', 'it is none of the last ones');
    const { at: _, ...request } = kept.request;
    if (request.origin.kind !== 'upload') return request;
    throw new AnnounceError('not-kept', 'what was uploaded is not kept: make it a clip');
  }
}

function labelOf({ origin, tag = '' }: AnnouncementRequest): string {
  if (origin.kind === 'upload' || origin.kind === 'live') return tag;
  if (origin.kind !== 'url') return cutText(origin.value, maxLabelLength);
  return URL.canParse(origin.value) ? new URL(origin.value).host : '';
}
