import type { Mix } from '../audio/mix-input.ts';
import type { AnnouncementRequest } from './announcement-request.ts';
import type { Part } from './sound-converter.ts';
import type { AnnouncementTargets } from './target-lookup.ts';

/** The last six are ends. */
const endStates = ['done', 'stopped', 'interrupted', 'expired', 'error'] as const;
export type AnnouncementState = 'queued' | 'fetching' | 'playing' | (typeof endStates)[number];

/** What was asked for, without the sound: that is not kept longer than it takes to load it. */
type Asked = Omit<AnnouncementRequest, 'origin'>;

interface AnnouncementRunOptions {
  readonly id: string;
  readonly request: AnnouncementRequest;
  readonly targets: AnnouncementTargets;
  readonly occupied: ReadonlySet<string>;
}

/** One announcement, from its request to its end. */
export class AnnouncementRun {
  readonly id: string;
  readonly request: Asked;
  readonly originKind: AnnouncementRequest['origin']['kind'];
  /** Of an upload that is not decoded yet. */
  uploadBytes: number;
  readonly targets: AnnouncementTargets;
  readonly occupied: ReadonlySet<string>;
  /** Resolves when it is over. */
  readonly over: Promise<void>;
  state: AnnouncementState;
  parts: readonly Part[] = [];
  mix: Mix | undefined;
  heardAtMs: number | undefined;
  /** The same by the clock of the server. */
  heardUs = 0;
  /** What it will be over as when its sound has faded out. */
  ending: 'stopped' | 'interrupted' | undefined;
  /** What went wrong while it played. */
  fault: unknown;
  error: unknown;
  reason: string | undefined;
  /** Resolves when nothing of its sound is fetched any more. */
  loaded: Promise<void> = Promise.resolve();
  timer: NodeJS.Timeout | undefined;
  #durationMs: number | undefined;
  readonly #aborting = new AbortController();
  #tellOver: () => void = () => undefined;

  constructor({ id, request, targets, occupied }: AnnouncementRunOptions) {
    const { origin, ...asked } = request;
    this.id = id;
    this.request = asked;
    this.originKind = origin.kind;
    this.uploadBytes = bytesOf(request);
    this.targets = targets;
    this.occupied = occupied;
    this.state = origin.kind === 'chime' ? 'queued' : 'fetching';
    this.over = new Promise((resolve) => {
      this.#tellOver = resolve;
    });
  }

  get isOver(): boolean {
    return endStates.some((state) => state === this.state);
  }

  /** Aborted when it is over. */
  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  /** Of its sounds, once all of them are there. */
  get durationMs(): number | undefined {
    if (this.isOver) return this.#durationMs;
    const isWhole = this.parts.length > 0 && this.parts.every(({ sound }) => sound.hasEnded);
    if (!isWhole) return undefined;
    return Math.round(this.parts.reduce((sum, { sound }) => sum + sound.durationMs, 0));
  }

  /** Enters its last state and lets go of all that it holds. */
  end(state: AnnouncementState, reason: string | undefined): void {
    this.#durationMs = this.durationMs;
    this.state = state;
    this.reason = reason;
    clearTimeout(this.timer);
    this.#aborting.abort();
    this.parts = [];
    this.#tellOver();
  }
}

/** What the sound takes that was uploaded. */
export function bytesOf({ origin }: AnnouncementRequest): number {
  return origin.kind === 'upload' ? origin.bytes.length : 0;
}
