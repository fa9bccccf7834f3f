/** From the least to the most urgent. */
export const priorities = ['low', 'normal', 'high'] as const;
export type Priority = (typeof priorities)[number];

/** Announcements that may wait for one target; one more is refused. */
export const maxWaiting = 8;
/** A high one interrupts another high one that has played this long. */
export const highShareMs = 10_000;
/** One whose audio is not there yet keeps others of its rank behind it no longer than this. */
export const holdPlaceMs = 2000;

/** What the queue has to know of an announcement. */
export interface QueuedAnnouncement {
  readonly id: string;
  /** What it occupies: a client, or a stream. Two that share one cannot play at the same time. */
  readonly targets: ReadonlySet<string>;
  readonly priority: Priority;
  readonly tag?: string | undefined;
  /** It does not wait until what it interrupts has faded out. */
  readonly isUrgent?: boolean;
  readonly acceptedMs: number;
  /** It does not play before. */
  readonly dueMs: number;
  /** Waiting longer than this after `dueMs`, it is dropped. */
  readonly expireMs: number;
}

interface Place {
  readonly announcement: QueuedAnnouncement;
  state: 'fetching' | 'ready' | 'playing' | 'interrupted';
  playingSinceMs: number;
}

/** What is to be done now. */
interface QueueDecision {
  readonly start: readonly string[];
  readonly interrupt: readonly string[];
  readonly expire: readonly string[];
  /** When the queue has to be asked again, if nothing happens before; `undefined`: not by time. */
  readonly nextMs: number | undefined;
}

/**
 * Which announcement plays when. What shares no target is independent of each other; of what does,
 * one plays at a time, the highest priority first and of one priority in the order in which they came.
 *
 * Units: milliseconds of any clock, the same for all calls.
 */
export class AnnouncementQueue {
  /** In the order in which they came. */
  readonly #places = new Map<string, Place>();

  get size(): number {
    return this.#places.size;
  }

  /** A target for which too many wait already; `undefined` when there is room. */
  fullTarget(targets: ReadonlySet<string>): string | undefined {
    const counts = new Map<string, number>();
    for (const { announcement, state } of this.#places.values()) {
      if (state === 'playing' || state === 'interrupted') continue;
      for (const target of announcement.targets) {
        if (targets.has(target)) counts.set(target, (counts.get(target) ?? 0) + 1);
      }
    }
    for (const [target, count] of counts) if (count >= maxWaiting) return target;
    return undefined;
  }

  /** Those that wait under this tag for one of these targets. */
  waitingWith(tag: string, targets: ReadonlySet<string>): readonly string[] {
    return [...this.#places.values()]
      .filter(({ state }) => state === 'fetching' || state === 'ready')
      .filter(({ announcement }) => announcement.tag === tag && meet(announcement.targets, targets))
      .map(({ announcement }) => announcement.id);
  }

  add(announcement: QueuedAnnouncement): void {
    this.#places.set(announcement.id, { announcement, state: 'fetching', playingSinceMs: 0 });
  }

  /** Its audio is there. */
  ready(id: string): void {
    const place = this.#places.get(id);
    if (place?.state === 'fetching') place.state = 'ready';
  }

  /** It has ended, or will not be played. */
  remove(id: string): void {
    this.#places.delete(id);
  }

  /** It plays, or was told to. */
  isStarted(id: string): boolean {
    const state = this.#places.get(id)?.state;
    return state === 'playing' || state === 'interrupted';
  }

  /** What is told to start or to be interrupted counts as such from now on, what expires as removed. */
  decide(nowMs: number): QueueDecision {
    const expire = this.#dropExpired(nowMs);
    const start: string[] = [];
    const interrupt: string[] = [];
    const times: number[] = [];
    /** Nothing behind these may use their targets. */
    const ahead: Place[] = [];
    for (const place of this.#byRank()) {
      const { id, isUrgent, dueMs, expireMs, acceptedMs } = place.announcement;
      const freeMs = this.#freeMs(place, ahead);
      if (dueMs <= nowMs && place.state === 'ready' && freeMs <= nowMs) {
        const inTheWay = this.#inTheWayOf(place);
        for (const other of inTheWay.filter(({ state }) => state === 'playing')) {
          other.state = 'interrupted';
          interrupt.push(other.announcement.id);
        }
        if (inTheWay.length === 0 || isUrgent) {
          place.state = 'playing';
          place.playingSinceMs = nowMs;
          start.push(id);
          continue;
        }
      }
      const holdsUntilMs =
        place.state === 'ready' ? Number.POSITIVE_INFINITY : acceptedMs + holdPlaceMs;
      if (dueMs <= nowMs && nowMs < holdsUntilMs) ahead.push(place);
      times.push(...[dueMs, dueMs + expireMs, freeMs, holdsUntilMs].filter((ms) => ms > nowMs));
    }
    const nextMs = Math.min(...times);
    return {
      start,
      interrupt,
      expire,
      nextMs: nextMs < Number.POSITIVE_INFINITY ? nextMs : undefined,
    };
  }

  #dropExpired(nowMs: number): readonly string[] {
    const expired = this.#byRank()
      .map(({ announcement }) => announcement)
      .filter(({ dueMs, expireMs }) => nowMs >= dueMs + expireMs)
      .map(({ id }) => id);
    for (const id of expired) this.#places.delete(id);
    return expired;
  }

  /** When it may have its targets, at the cost of what plays there; infinity: when that has ended. */
  #freeMs(place: Place, ahead: readonly Place[]): number {
    const { targets } = place.announcement;
    if (ahead.some(({ announcement }) => meet(announcement.targets, targets)))
      return Number.POSITIVE_INFINITY;
    const times = this.#inTheWayOf(place).map((other) => interruptibleMs(other, place));
    return Math.max(Number.NEGATIVE_INFINITY, ...times);
  }

  #inTheWayOf({ announcement: { targets } }: Place): readonly Place[] {
    return [...this.#places.values()].filter(
      ({ state, announcement }) =>
        (state === 'playing' || state === 'interrupted') && meet(announcement.targets, targets),
    );
  }

  /** Those that wait, the highest first. */
  #byRank(): Place[] {
    return [...this.#places.values()]
      .filter(({ state }) => state === 'fetching' || state === 'ready')
      .sort((a, b) => rankOf(b) - rankOf(a));
  }
}

/** When `by` may interrupt what plays; infinity: never. */
function interruptibleMs(playing: Place, by: Place): number {
  if (playing.state === 'interrupted') return Number.NEGATIVE_INFINITY;
  if (by.announcement.priority !== 'high') return Number.POSITIVE_INFINITY;
  if (playing.announcement.priority !== 'high') return Number.NEGATIVE_INFINITY;
  return playing.playingSinceMs + highShareMs;
}

function rankOf({ announcement }: Place): number {
  return priorities.indexOf(announcement.priority);
}

function meet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  const [few, many] = a.size < b.size ? [a, b] : [b, a];
  for (const target of few) if (many.has(target)) return true;
  return false;
}
