import { randomUUID } from 'node:crypto';
import type { MixEnd, MixSettings } from '../audio/mix-input.ts';
import type { Clock } from '../base/clock.ts';
import { AssertionError, messageOf, ZerocastError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { within } from '../base/time/within.ts';
import { playedStreamId, type Registry } from '../clients/registry.ts';
import type { StreamMeters } from '../metering/stream-meters.ts';
import type { MixControl } from '../players/mix-control.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import { AnnounceError } from './announce-error.ts';
import { AnnouncementQueue } from './announcement-queue.ts';
import {
  type AnnouncementChoice,
  type AnnouncementRequest,
  type DuckParameters,
  type TargetNameKind,
  type TargetNames,
  targetKinds,
} from './announcement-request.ts';
import { AnnouncementRun, type AnnouncementState, bytesOf } from './announcement-run.ts';
import type { ClipLoader } from './clip-loader.ts';
import { MusicLoudness } from './music-loudness.ts';
import { type RecentAnnouncement, RecentAnnouncements } from './recent-announcements.ts';
import { SoundInputs } from './sound-input.ts';
import { assertHeard, findTargets, heardBy, occupiedBy } from './target-lookup.ts';

/** Announcements that are fetched, wait and play at one time; one more is refused. */
const maxAnnouncements = 64;
/** What the sounds of all of them may occupy. */
const maxSoundBytes = 256 * 1024 * 1024;
/** The answer waits so long for what may go wrong at once. */
const answerGraceMs = 300;
/** How fast one that is interrupted or stopped goes. */
const stopFadeMs = 50;
/** One that has lasted so long is stopped: by sound, which no file exceeds, or when it is live. */
const maxPartMs = 600_000;
const maxLiveMs = 3_600_000;
/**
 * Streams that mix the same sound are the buffer apart at most, when it is urgent, and what their sources are
 * late; what lies further back is silence at the last of them.
 */
const maxLateMs = 1000;
const usualExpireMs = 60_000;
/** The furthest that one may be planned ahead. */
const maxAheadMs = 24 * 3600 * 1000;

interface AnnouncementSettings {
  readonly duckDb: number;
  readonly attackMs: number;
  readonly holdMs: number;
  readonly releaseMs: number;
  readonly wakeMs: number;
}

/** One announcement as controllers see it. */
export interface AnnouncementStatus {
  readonly id: string;
  readonly state: AnnouncementState;
  /** As they were named. */
  readonly targets: Partial<TargetNames>;
  readonly tag?: string;
  /** When its first sample is heard, in milliseconds since 1970. */
  readonly heardAt?: number;
  /** The same in milliseconds from now, as clocks of controllers may be wrong; negative: it began. */
  readonly heardIn?: number;
  /** Milliseconds; known once all of it is there. */
  readonly duration?: number;
  /** Why it has ended before its time. */
  readonly reason?: string;
}

interface AnnouncementsOptions {
  readonly mixes: Pick<MixControl, 'start'>;
  readonly loader: Pick<ClipLoader, 'load'>;
  readonly registry: Registry;
  readonly streams: Pick<StreamDirectory, 'channels'>;
  readonly meters: () => Promise<Pick<StreamMeters, 'watch'>>;
  readonly bufferMs: number;
  readonly clock: Clock;
  readonly settings: () => AnnouncementSettings;
  readonly logger: Logger;
  /** Is told of each new state. */
  readonly onUpdate: (status: AnnouncementStatus) => void;
}

/** All announcements that are on their way, wait, or play. */
export class Announcements {
  readonly #options: AnnouncementsOptions;
  readonly #logger: Logger;
  readonly #queue = new AnnouncementQueue();
  readonly #runs = new Map<string, AnnouncementRun>();
  readonly #recent = new RecentAnnouncements();
  /** Those that are mixed now. */
  readonly #mixing = new Set<AnnouncementRun>();
  readonly #music: MusicLoudness;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: AnnouncementsOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('Announce');
    this.#music = new MusicLoudness({
      meters: options.meters,
      isPlaying: (id) => options.streams.channels.get(id)?.stream.state === 'playing',
      isMixing: () => this.#mixing.size > 0,
    });
  }

  /**
   * Takes an announcement; resolves as soon as it is known whether it plays, waits, or takes longer to
   * fetch.
   *
   * Failure: rejects with an `AnnounceError` or `ClipError` that may be shown; nothing stays behind.
   */
  async play(request: AnnouncementRequest): Promise<AnnouncementStatus> {
    const run = this.#accept(request);
    const settled = this.#load(run, request);
    await within(settled, answerGraceMs);
    if (run.error) throw run.error;
    return statusOf(run);
  }

  /** Resolves when an announcement has been heard, or has come to another end; at once if it is unknown. */
  async heard(id: string): Promise<AnnouncementStatus | undefined> {
    const run = this.#runs.get(id);
    await run?.over;
    return run && statusOf(run);
  }

  /** Returns the ids of those that were stopped. Failure: throws an `AnnounceError`. */
  stop({ id, tag, targets }: AnnouncementChoice): readonly string[] {
    const isHeard = targets && this.#heardBy(targets);
    const chosen = [...this.#runs.values()].filter(
      (run) =>
        !run.isOver &&
        (id === undefined || run.id === id) &&
        (tag === undefined || run.request.tag === tag) &&
        (!isHeard || isHeard(run)),
    );
    for (const run of chosen) this.#stop(run, 'stopped');
    this.#decide();
    return chosen.map(({ id }) => id);
  }

  list(): readonly AnnouncementStatus[] {
    return [...this.#runs.values()].map(statusOf);
  }

  /** The last ones, the newest first. */
  get recent(): readonly RecentAnnouncement[] {
    return this.#recent.list();
  }

  /** Takes a recent one once more. Failure: as of `play`. */
  playAgain(id: string): Promise<AnnouncementStatus> {
    return this.play(this.#recent.requestOf(id));
  }

  /** Ends all without a fade; resolves when nothing of them runs any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const runs = [...this.#runs.values()];
    for (const run of runs) {
      run.mix?.stop(0);
      this.#finish(run, 'stopped', 'the server stops');
    }
    await Promise.all(runs.map(({ loaded }) => loaded));
  }

  #accept(request: AnnouncementRequest): AnnouncementRun {
    if (this.#isClosed) throw new AnnounceError('closing', 'the server stops');
    const { registry, streams } = this.#options;
    const targets = findTargets(request.targets, { registry, streams });
    assertHeard(targets, registry);
    const occupied = occupiedBy(targets, registry);
    const nowMs = performance.now();
    const dueMs = this.#dueMs(request, nowMs);
    if (request.replace && request.tag !== undefined) {
      for (const id of this.#queue.waitingWith(request.tag, occupied)) {
        const run = this.#runs.get(id);
        if (run) this.#finish(run, 'stopped', 'another one has taken its place');
      }
    }
    if (this.#runs.size >= maxAnnouncements) {
      throw new AnnounceError('queue-full', `there are ${this.#runs.size} announcements already`);
    }
    this.#checkMemory(bytesOf(request));
    const full = this.#queue.fullTarget(occupied);
    if (full !== undefined) {
      throw new AnnounceError('queue-full', `too many announcements wait for the ${full} already`);
    }
    const run = new AnnouncementRun({ id: randomUUID(), request, targets, occupied });
    this.#runs.set(run.id, run);
    this.#queue.add({
      id: run.id,
      targets: occupied,
      priority: request.priority,
      tag: request.tag,
      isUrgent: request.urgent,
      acceptedMs: nowMs,
      dueMs,
      expireMs: request.expire_ms ?? usualExpireMs,
    });
    this.#recent.add(run.id, request);
    this.#tell(run);
    if (request.loudness === 'follow' && request.at === undefined) this.#watchMusic(run);
    return run;
  }

  /** Returns the streams that it is to be heard over. */
  #watchMusic({ targets, over }: AnnouncementRun): readonly string[] {
    const { clients } = this.#options.registry;
    const streamIds = new Set(targets.streamIds);
    for (const id of targets.clientIds) {
      const client = clients.get(id);
      if (client) streamIds.add(playedStreamId(client.group));
    }
    this.#music.watch(streamIds, over);
    return [...streamIds];
  }

  /** When it has to be begun, so that what is mixed from then on is heard at its time. */
  #dueMs({ at, ...request }: AnnouncementRequest, nowMs: number): number {
    if (at === undefined) return nowMs;
    const aheadMs = at - Date.now();
    if (aheadMs > maxAheadMs) {
      throw new AnnounceError('too-far', `at is more than ${maxAheadMs / 3_600_000} hours ahead`);
    }
    const { attackMs, leadMs } = this.#mixSettings(request.duck, 0);
    const early = this.#options.bufferMs + attackMs + leadMs + 1000;
    return nowMs + Math.max(0, aheadMs - early);
  }

  async #load(run: AnnouncementRun, request: AnnouncementRequest): Promise<void> {
    const loading = this.#options.loader.load(request, run.signal);
    run.loaded = loading.then(
      ({ whole }) => whole.then(() => undefined),
      () => undefined,
    );
    try {
      const { parts, whole } = await loading;
      if (run.isOver) return;
      run.parts = parts;
      run.uploadBytes = 0;
      this.#checkMemory();
      void whole.then((fault) => {
        run.fault = fault;
      });
      // Of an urgent one so much is mixed at once, and what is late would be silence.
      const { bufferMs } = this.#options;
      if (run.request.urgent) await Promise.all(parts.map(({ sound }) => sound.lasts(bufferMs)));
      if (run.isOver) return;
      if (run.state === 'fetching') this.#setState(run, 'queued');
      this.#queue.ready(run.id);
      await this.#decide();
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      if (!run.isOver) this.#fail(run, error);
    }
  }

  /** Failure: throws an `AnnounceError` when there is no room for so many bytes beside all others. */
  #checkMemory(moreBytes = 0): void {
    const runs = [...this.#runs.values()];
    const sounds = new Set(runs.flatMap(({ parts }) => parts).map(({ sound }) => sound));
    let bytes = runs.reduce((sum, { uploadBytes }) => sum + uploadBytes, moreBytes);
    for (const sound of sounds) bytes += sound.bytes;
    if (bytes <= maxSoundBytes) return;
    throw new AnnounceError('queue-full', 'the announcements that wait are too long together');
  }

  /** Resolves when what is to start now is under way. */
  async #decide(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const nowMs = performance.now();
    const { start, interrupt, expire, nextMs } = this.#queue.decide(nowMs);
    for (const id of expire) this.#endById(id, 'expired', 'it has waited too long');
    for (const id of interrupt) {
      const run = this.#runs.get(id);
      if (run) this.#stop(run, 'interrupted');
    }
    if (nextMs !== undefined) {
      this.#timer = setTimeout(() => void this.#decide(), Math.max(1, nextMs - nowMs));
    }
    await Promise.all(start.map((id) => this.#start(id)));
  }

  async #start(id: string): Promise<void> {
    const run = this.#runs.get(id);
    if (!run) return;
    const { request, targets, parts } = run;
    const isFollowing = request.loudness === 'follow';
    try {
      // What is urgent does not wait for it.
      if (isFollowing && !request.urgent) await this.#music.measured(this.#watchMusic(run));
      this.#mixing.add(run);
      const { mixes, bufferMs } = this.#options;
      const inputs = new SoundInputs(parts, { keptMs: bufferMs + maxLateMs });
      const mix = await mixes.start({
        open: (format) => inputs.open(format),
        settings: {
          ...this.#mixSettings(request.duck, request.gain_db ?? 0),
          ...this.#startOf(run),
        },
        volume: request.volume,
        overridesMute: request.overridesMute,
        moreDbOn: isFollowing ? (streamId) => this.#music.moreDb(streamId) : undefined,
        listeners: targets,
        isUrgent: request.urgent,
        onEnd: (reason) => this.#onMixEnd(run, reason),
      });
      run.mix = mix;
      run.heardUs = mix.startUs + bufferMs * 1000;
      run.heardAtMs = this.#wallMs(run.heardUs);
      if (run.isOver || run.ending) mix.stop(stopFadeMs);
      else {
        this.#setState(run, 'playing');
        const limitMs = (mix.startUs - this.#options.clock.nowUs()) / 1000 + longestMs(run);
        run.timer = setTimeout(() => this.#stop(run, 'stopped'), limitMs);
      }
    } catch (error) {
      this.#mixing.delete(run);
      if (error instanceof AssertionError) throw error;
      if (!run.isOver) this.#fail(run, error);
    }
  }

  #startOf({ request: { at } }: AnnouncementRun): Pick<MixSettings, 'startUs'> {
    if (at === undefined) return {};
    const { clock, bufferMs } = this.#options;
    return { startUs: clock.nowUs() + (at - Date.now() - bufferMs) * 1000 };
  }

  #wallMs(serverUs: number): number {
    return Math.round(Date.now() + (serverUs - this.#options.clock.nowUs()) / 1000);
  }

  #mixSettings(duck: DuckParameters, gainDb: number): MixSettings {
    const usual = this.#options.settings();
    return {
      duckDb: duck.duck_db ?? usual.duckDb,
      attackMs: duck.attack_ms ?? usual.attackMs,
      holdMs: duck.hold_ms ?? usual.holdMs,
      releaseMs: duck.release_ms ?? usual.releaseMs,
      fadeInMs: duck.fade_in_ms ?? 5,
      fadeOutMs: duck.fade_out_ms ?? 20,
      leadMs: duck.lead_ms ?? 0,
      tailMs: duck.tail_ms ?? 0,
      wakeMs: usual.wakeMs,
      gainDb,
    };
  }

  /** Whether these targets would hear an announcement, or it was for them by this name, be they gone. */
  #heardBy(names: TargetNames): (run: AnnouncementRun) => boolean {
    if (names.all) return () => true;
    const { registry, streams } = this.#options;
    const isFor = ({ request }: AnnouncementRun, kind: TargetNameKind, name: string) =>
      request.targets[kind].includes(name);
    const isGone = (kind: TargetNameKind, name: string) =>
      [...this.#runs.values()].some((run) => isFor(run, kind, name));
    const heard = heardBy(findTargets(names, { registry, streams, isGone }), registry);
    return (run) =>
      [...run.occupied].some((target) => heard.has(target)) ||
      targetKinds.some((kind) => names[kind].some((name) => isFor(run, kind, name)));
  }

  /** What plays fades; what waits is over at once. */
  #stop(run: AnnouncementRun, how: 'stopped' | 'interrupted'): void {
    if (run.isOver) return;
    run.ending ??= how;
    if (run.state === 'playing') run.mix?.stop(stopFadeMs);
    else if (!this.#queue.isStarted(run.id)) this.#finish(run, how);
  }

  #onMixEnd(run: AnnouncementRun, reason: MixEnd): void {
    this.#mixing.delete(run);
    this.#queue.remove(run.id);
    clearTimeout(run.timer);
    if (run.isOver) return;
    if (reason === 'failed') this.#fail(run, new AnnounceError('mix-failed', 'it cannot be mixed'));
    else if (reason === 'gone') this.#finish(run, 'stopped', 'none of its targets is left');
    else if (run.ending) this.#finish(run, run.ending);
    else if (run.fault) this.#fail(run, run.fault);
    else this.#awaitHeard(run);
    void this.#decide();
  }

  /** What is mixed is heard the buffer later. A timer that is set late in its turn fires too soon. */
  #awaitHeard(run: AnnouncementRun): void {
    const endUs = run.heardUs + (run.durationMs ?? 0) * 1000;
    const leftMs = (endUs - this.#options.clock.nowUs()) / 1000;
    if (leftMs <= 0) this.#finish(run, 'done');
    else run.timer = setTimeout(() => this.#awaitHeard(run), Math.ceil(leftMs));
  }

  #fail(run: AnnouncementRun, error: unknown): void {
    const isExpected = error instanceof ZerocastError;
    const reason = isExpected ? `${error.code}: ${error.message}` : messageOf(error);
    if (!isExpected) this.#logger.error('an announcement failed unexpectedly', { reason });
    run.error = error;
    this.#finish(run, 'error', reason);
    void this.#decide();
  }

  #endById(id: string, state: AnnouncementState, reason: string): void {
    const run = this.#runs.get(id);
    if (run) this.#finish(run, state, reason);
  }

  #finish(run: AnnouncementRun, state: AnnouncementState, reason?: string): void {
    if (run.isOver) return;
    this.#queue.remove(run.id);
    this.#runs.delete(run.id);
    run.end(state, reason);
    this.#tell(run);
  }

  #setState(run: AnnouncementRun, state: AnnouncementState): void {
    run.state = state;
    this.#tell(run);
  }

  #tell(run: AnnouncementRun): void {
    const { id, state, reason, originKind, targets } = run;
    this.#logger.info('announcement', {
      id,
      state,
      origin: originKind,
      clients: targets.clientIds.size,
      streams: targets.streamIds.size,
      ...(reason !== undefined && { reason }),
    });
    this.#recent.enter(id, state);
    this.#options.onUpdate(statusOf(run));
  }
}

/** How long its sound may last. */
function longestMs({ originKind, parts, request }: AnnouncementRun): number {
  if (originKind !== 'live') return parts.length * maxPartMs;
  return request.max_seconds === undefined ? maxLiveMs : request.max_seconds * 1000;
}

function statusOf(run: AnnouncementRun): AnnouncementStatus {
  const { id, state, heardAtMs, durationMs, reason, request } = run;
  return {
    id,
    state,
    targets: shownTargets(request.targets),
    ...(request.tag !== undefined && { tag: request.tag }),
    ...(heardAtMs !== undefined && { heardAt: heardAtMs, heardIn: heardAtMs - Date.now() }),
    ...(durationMs !== undefined && { duration: durationMs }),
    ...(reason !== undefined && { reason }),
  };
}

function shownTargets({ all, ...lists }: TargetNames): Partial<TargetNames> {
  const named = Object.entries(lists).filter(([, names]) => names.length > 0);
  return { ...Object.fromEntries(named), ...(all && { all }) };
}
