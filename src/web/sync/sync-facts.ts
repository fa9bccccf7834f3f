import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type {
  Culprit,
  PlayerFacts,
  ServerFacts,
  StreamFacts,
  SyncEvent,
  SyncMessage,
  VerdictLevel,
} from '../../observing/sync-message.ts';

/** A look each second. */
export const historyLooks = 60;
const maxEvents = 400;

export interface Judged {
  readonly id: string;
  readonly who: Culprit;
  readonly level: VerdictLevel;
}

/** What was seen of one player, the newest last; `undefined`: not measured. */
export interface PlayerHistory {
  readonly facts: PlayerFacts;
  readonly roundTripMs: readonly (number | undefined)[];
  readonly waitingMs: readonly (number | undefined)[];
  readonly resentPerSecond: readonly (number | undefined)[];
  readonly errorMs: readonly (number | undefined)[];
}

const worst: Readonly<Record<VerdictLevel, number>> = { bad: 0, watch: 1, good: 2 };

/** All that the page knows of who is in step: what it is told each second, kept for a minute. */
export class SyncFacts {
  readonly server = signal<ServerFacts | undefined>(undefined);
  readonly events = signal<readonly SyncEvent[]>([]);
  /** By the clock of the server, of what was told last. Units: microseconds. */
  readonly atUs = signal(0);
  readonly #streams = signal<ReadonlyMap<string, StreamFacts>>(new Map());
  readonly #verdicts = signal<ReadonlyMap<string, Judged>>(new Map());
  readonly #players = new Map<string, Signal<PlayerHistory | undefined>>();

  /** Those at fault first, else in the order in which they have come. */
  readonly judged: ReadonlySignal<readonly Judged[]> = computed(() =>
    [...this.#verdicts.value.values()].sort((a, b) => worst[a.level] - worst[b.level]),
  );

  readonly streams: ReadonlySignal<readonly StreamFacts[]> = computed(() => [
    ...this.#streams.value.values(),
  ]);

  player(id: string): ReadonlySignal<PlayerHistory | undefined> {
    const known = this.#players.get(id) ?? signal(undefined);
    this.#players.set(id, known);
    return known;
  }

  take(message: SyncMessage): void {
    const { atUs, isFirst, server, streams = [] } = message;
    const { verdicts = [], gone = [], players = [] } = message;
    batch(() => {
      if (isFirst) this.forget();
      this.atUs.value = atUs;
      if (server) this.server.value = server;
      if (streams.length > 0) {
        this.#streams.value = new Map([
          ...this.#streams.peek(),
          ...streams.map((stream) => [stream.id, stream] as const),
        ]);
      }
      if (verdicts.length > 0 || gone.length > 0) this.#judge(verdicts, gone);
      const told = new Map(players.map((facts) => [facts.id, facts]));
      for (const [id, known] of this.#players) {
        const facts = told.get(id) ?? known.peek()?.facts;
        if (facts && this.#verdicts.peek().has(id)) known.value = longer(known.peek(), facts);
        else known.value = undefined;
      }
      const { events = [] } = message;
      if (events.length > 0) {
        this.events.value = [...this.events.peek(), ...events].slice(-maxEvents);
      }
    });
  }

  /** The server is another one, or was away. */
  forget(): void {
    batch(() => {
      this.server.value = undefined;
      this.events.value = [];
      this.#streams.value = new Map();
      this.#verdicts.value = new Map();
      for (const known of this.#players.values()) known.value = undefined;
    });
  }

  #judge(
    verdicts: readonly (readonly [string, Culprit, VerdictLevel])[],
    gone: readonly string[],
  ): void {
    const next = new Map(this.#verdicts.peek());
    for (const id of gone) next.delete(id);
    for (const [id, who, level] of verdicts) next.set(id, { id, who, level });
    this.#verdicts.value = next;
  }
}

function longer(before: PlayerHistory | undefined, facts: PlayerFacts): PlayerHistory {
  const add = (values: readonly (number | undefined)[] = [], value: number | undefined) =>
    [...values, value].slice(-historyLooks);
  const { queueMs, backlogMs } = facts;
  return {
    facts,
    roundTripMs: add(before?.roundTripMs, facts.roundTripMs),
    waitingMs: add(before?.waitingMs, queueMs === undefined ? undefined : queueMs + backlogMs),
    resentPerSecond: add(before?.resentPerSecond, facts.resentPerSecond),
    errorMs: add(before?.errorMs, facts.own?.errorMs),
  };
}
