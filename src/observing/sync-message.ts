/** Whom a fault comes from. `unclear`: player or network, as what tells them apart is not measured. */
export type Culprit = 'nobody' | 'source' | 'server' | 'network' | 'player' | 'unclear';

/** `bad` is heard, or will be soon; `watch` is not heard yet. */
export type VerdictLevel = 'good' | 'watch' | 'bad';

/** What speaks against a culprit; the page has a sentence for each, in which its value stands. */
export type Reason =
  | 'streamBroken'
  | 'sourceLate'
  | 'sourceSilent'
  | 'sourceFast'
  | 'serverStalled'
  | 'serverLate'
  | 'serverBroke'
  | 'encoderDropped'
  | 'encoderSlow'
  | 'unacknowledged'
  | 'resent'
  | 'longWay'
  | 'narrow'
  | 'notReading'
  | 'silent'
  | 'reconnects'
  | 'drift'
  | 'ownError'
  | 'ownJumps'
  | 'skipped'
  | 'waiting';

export interface Evidence {
  readonly reason: Reason;
  readonly value: number;
}

export interface Verdict {
  readonly who: Culprit;
  readonly level: VerdictLevel;
  /** The strongest first; empty when all is well. */
  readonly because: readonly Evidence[];
}

/** What the page that plays says of itself, as far as its browser knows. */
export interface OwnFigures {
  /** How late is what is heard. */
  readonly errorMs?: number;
  readonly outputLatencyMs?: number;
  readonly roundTripMs?: number;
  /** How often the sound had to jump, or was missing. */
  readonly resyncs?: number;
  readonly underruns?: number;
}

/** One player; what is absent is not measured here. Figures of rates are of the last ten seconds. */
export interface PlayerFacts {
  readonly id: string;
  /** Empty while it is given none. */
  readonly stream: string;
  /** `tcp`, `websocket`. */
  readonly transport: string;
  readonly verdict: Verdict;
  readonly roundTripMs?: number;
  readonly roundTripDeviationMs?: number;
  readonly leastRoundTripMs?: number;
  /** Audio that was handed to the kernel and not acknowledged by the player. */
  readonly queueMs?: number;
  readonly resentPerSecond?: number;
  /** Audio that is there and was not handed to the kernel yet. */
  readonly backlogMs: number;
  /** Chunks that were too old to be sent. */
  readonly skippedChunks: number;
  /** Since its last sign of life, when that is long. */
  readonly heardMs?: number;
  /** By how many millionths its clock is faster than that of the server. */
  readonly driftPpm?: number;
  readonly own?: OwnFigures;
}

export interface StreamFacts {
  readonly id: string;
  readonly state: string;
  /** From capture until it is ready to be sent. */
  readonly chunkAgeMs: number;
  /** Of one processor. */
  readonly encodeShare: number;
  readonly sourceDriftPpm: number;
  /** Runs that broke in the last ten seconds. */
  readonly breaks: number;
}

export interface ServerFacts {
  /** The longest that the event loop kept others waiting in the last ten seconds. */
  readonly loopDelayMs: number;
  /** Of one processor. */
  readonly cpuShare: number;
  /** Whether the kernel is asked about connections. */
  readonly hasTcpFacts: boolean;
}

export type EventSide = 'source' | 'server' | 'network' | 'player' | 'house';

export interface SyncEvent {
  /** Grows by one with each. */
  readonly number: number;
  /** By the clock of the server. */
  readonly atUs: number;
  readonly side: EventSide;
  readonly what: EventKind;
  /** The stream or client that it is about. */
  readonly id?: string;
  /** Milliseconds, or how many. */
  readonly value?: number;
  readonly text?: string;
}

export type EventKind =
  | 'streamAdded'
  | 'streamRemoved'
  | 'streamPlays'
  | 'streamIdle'
  | 'streamBroken'
  | 'sourceLate'
  | 'sourceSilent'
  | 'sourceFast'
  | 'serverStalled'
  | 'serverSuspended'
  | 'serverLate'
  | 'serverBroke'
  | 'clockSet'
  | 'encoderDropped'
  | 'resent'
  | 'joined'
  | 'left'
  | 'silent'
  | 'skipped'
  | 'waiting'
  | 'groupStream'
  | 'announcement';

/** What a viewer is told each second: only what has changed since the last time. */
export interface SyncMessage {
  readonly atUs: number;
  /** All is told from the beginning: what was known before does not count. */
  readonly isFirst?: boolean;
  readonly server?: ServerFacts;
  readonly streams?: readonly StreamFacts[];
  /** Of all players that are connected: id, culprit, level. */
  readonly verdicts?: readonly (readonly [string, Culprit, VerdictLevel])[];
  /** Those that were connected and are not any more. */
  readonly gone?: readonly string[];
  /** Of the players that were asked for. */
  readonly players?: readonly PlayerFacts[];
  readonly events?: readonly SyncEvent[];
}
