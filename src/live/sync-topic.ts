import type { JsonObject } from '../base/files/json-fields.ts';
import { isObject } from '../base/files/json-fields.ts';
import { inSlices } from '../base/time/in-slices.ts';
import type {
  Culprit,
  OwnFigures,
  SyncMessage,
  Verdict,
  VerdictLevel,
} from '../observing/sync-message.ts';
import { SyncObserver, type SyncObserverOptions } from '../observing/sync-observer.ts';
import { streamingPermission } from '../players/player-login.ts';
import {
  type BeginWatch,
  LiveRequestError,
  type LiveTopic,
  type LiveViewer,
} from './live-topic.ts';

const lookMs = 1000;
/** Players of which one viewer sees all; of the others it is told the verdicts. */
const maxRows = 200;
const maxIdLength = 1024;
const usage = 'ask as in {"watch":{"sync":{"players":["id"]}}}';
const reportUsage = 'say as in {"player":{"id":"…","errorMs":0.1}}';
const ownFigures = ['errorMs', 'outputLatencyMs', 'roundTripMs', 'resyncs', 'underruns'] as const;

type VerdictRow = readonly [string, Culprit, VerdictLevel];

/** Who is in step, and who is at fault when not. Looked at once a second, while it is watched. */
export class SyncTopic implements LiveTopic {
  readonly members = ['sync'];
  readonly requests = new Map([
    ['player', (value: unknown, viewer: LiveViewer) => this.#report(value, viewer)],
  ]);
  readonly #options: SyncObserverOptions;
  readonly #viewers = new Map<LiveViewer, SyncViewer>();
  #observer: SyncObserver | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the last look has begun, also one of an observer before. */
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SyncObserverOptions) {
    this.#options = options;
  }

  plan({ sync }: JsonObject): BeginWatch | undefined {
    if (sync === undefined || sync === false) return undefined;
    const ids = playersIn(sync);
    return (viewer) => this.#begin(viewer, ids);
  }

  #begin(viewer: LiveViewer, ids: readonly string[]): () => void {
    const known = this.#viewers.get(viewer) ?? new SyncViewer();
    known.watches += 1;
    known.ids = ids;
    this.#viewers.set(viewer, known);
    if (!this.#observer) {
      this.#observer = new SyncObserver(this.#options);
      this.#lookIn(Math.max(0, this.#lookedMs + lookMs - performance.now()), this.#observer);
    } else if (this.#observer.hasLooked) this.#tell(this.#observer, viewer, known);
    return () => this.#end(viewer, known);
  }

  #end(viewer: LiveViewer, known: SyncViewer): void {
    known.watches -= 1;
    if (known.watches > 0) return;
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    clearTimeout(this.#timer);
    this.#observer?.stop();
    this.#observer = undefined;
  }

  /** For one viewer all players are gone through: many viewers take many turns. */
  async #look(observer: SyncObserver): Promise<void> {
    this.#lookedMs = performance.now();
    await observer.look();
    const viewers = [...this.#viewers.keys()];
    await inSlices(viewers.length, () => {
      const viewer = viewers.pop();
      const known = viewer && this.#viewers.get(viewer);
      if (!known || viewer.isBehind || observer !== this.#observer) return;
      this.#tell(observer, viewer, known);
    });
    if (observer === this.#observer) this.#lookIn(lookMs, observer);
  }

  /** Also who looks away and back again all the time makes for no more looks than others. */
  #lookIn(ms: number, observer: SyncObserver): void {
    this.#timer = setTimeout(() => void this.#look(observer), ms);
  }

  #tell(observer: SyncObserver, viewer: LiveViewer, known: SyncViewer): void {
    const { events, clock } = this.#options;
    viewer.tell({ sync: known.news(observer, events, Math.round(clock.nowUs())) });
  }

  /** It is judged by what it says, so not who only looks may say it. */
  #report(value: unknown, viewer: LiveViewer): void {
    if (!viewer.permits(streamingPermission)) {
      throw new LiveRequestError(`the role needs the permission ${streamingPermission}`);
    }
    if (!isObject(value) || typeof value.id !== 'string') throw new LiveRequestError(reportUsage);
    const figures: { -readonly [Name in keyof OwnFigures]: OwnFigures[Name] } = {};
    for (const name of ownFigures) {
      const figure = value[name];
      if (typeof figure === 'number' && Number.isFinite(figure)) figures[name] = figure;
    }
    this.#observer?.report(value.id, figures);
  }
}

/** What one viewer has been told, so that it is told only what is different. */
class SyncViewer {
  watches = 0;
  ids: readonly string[] = [];
  readonly #told = new Map<string, string>();
  readonly #verdicts = new Map<string, Verdict>();
  #events = 0;
  #isFirst = true;

  news(observer: SyncObserver, axis: SyncObserverOptions['events'], atUs: number): SyncMessage {
    const events = axis.after(this.#events);
    this.#events = axis.count;
    const [server] = this.#changed('server', [observer.serverFacts]);
    const { verdicts, gone } = this.#newVerdicts(observer);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    return {
      atUs,
      ...(isFirst && { isFirst }),
      ...(server && { server }),
      ...list('streams', this.#changed('streams', observer.streamFacts)),
      ...list('verdicts', verdicts),
      ...list('gone', gone),
      ...list('players', this.#changed('players', this.#playersOf(observer))),
      ...list('events', events),
    };
  }

  #playersOf(observer: SyncObserver) {
    return this.ids.flatMap((id) => observer.factsOf(id) ?? []);
  }

  /** Those of a kind that are not as they were told; what is not asked for any more is forgotten. */
  #changed<T extends object>(kind: string, facts: readonly T[]): readonly T[] {
    const changed: T[] = [];
    const kept = new Set<string>();
    for (const one of facts) {
      const key = `${kind} ${'id' in one ? one.id : ''}`;
      const text = JSON.stringify(one);
      kept.add(key);
      if (this.#told.get(key) === text) continue;
      this.#told.set(key, text);
      changed.push(one);
    }
    for (const key of this.#told.keys()) {
      if (key.startsWith(`${kind} `) && !kept.has(key)) this.#told.delete(key);
    }
    return changed;
  }

  #newVerdicts({ players }: SyncObserver) {
    const known = this.#verdicts;
    const verdicts: VerdictRow[] = [];
    for (const [id, { verdict }] of players) {
      const { who, level } = verdict;
      const told = known.get(id);
      if (told?.who === who && told.level === level) continue;
      known.set(id, verdict);
      verdicts.push([id, who, level]);
    }
    const gone: string[] = [];
    for (const id of known.keys()) if (!players.has(id)) gone.push(id);
    for (const id of gone) known.delete(id);
    return { verdicts, gone };
  }
}

function list<Name extends string, T>(name: Name, values: readonly T[]) {
  return values.length > 0 ? ({ [name]: values } as { [K in Name]?: readonly T[] }) : {};
}

/** Failure: throws a `LiveRequestError`. */
function playersIn(sync: unknown): readonly string[] {
  if (sync === true || sync === 1) return [];
  const players = isObject(sync) ? (sync.players ?? []) : undefined;
  if (!Array.isArray(players)) throw new LiveRequestError(usage);
  if (players.length > maxRows) throw new LiveRequestError(`at most ${maxRows} players are shown`);
  const ids = players.filter((id): id is string => typeof id === 'string');
  if (ids.length < players.length || ids.some((id) => id.length > maxIdLength)) {
    throw new LiveRequestError(usage);
  }
  return [...new Set(ids)];
}
