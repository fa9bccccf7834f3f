import type { Clock } from '../base/clock.ts';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import { inSlices } from '../base/time/in-slices.ts';
import type { Session } from '../players/session.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { EventAxis } from './event-axis.ts';
import { PlayerWatch } from './player-watch.ts';
import { ServerWatch } from './server-watch.ts';
import { round, StreamWatch } from './stream-watch.ts';
import type {
  EventKind,
  OwnFigures,
  PlayerFacts,
  ServerFacts,
  StreamFacts,
} from './sync-message.ts';
import { TcpFactsReader, type TcpRow } from './tcp-facts-reader.ts';
import { limits, type VerdictFacts, verdict } from './verdict.ts';

const windowUs = 10_000_000;
const minuteUs = 60_000_000;
/** Players that are asked about by one call, and judged in one go, which takes about a millisecond. */
const playersAtOnce = 64;
/** What the page that plays has said of itself holds for so long. */
const ownUs = 5_000_000;
/** After it was away itself the server hears within that time who is there. */
const awakeUs = 2_000_000;
/** So many segments that were sent again within a second are a burst. */
const burstSegments = 10;
const absences: readonly EventKind[] = ['serverStalled', 'serverSuspended'];
/** What it said last is not told sooner: most players say something every second. */
const quietMs = 2000;

export interface SyncObserverOptions {
  readonly clock: Clock;
  readonly sessions: () => Iterable<Session>;
  readonly streams: Pick<StreamDirectory, 'channels'>;
  readonly native: NativeAddonResult;
  readonly events: EventAxis;
}

interface Own {
  readonly figures: OwnFigures;
  readonly atUs: number;
}

/** What has happened within the window, and is the same for all players of a stream. */
type Surroundings = Pick<
  VerdictFacts,
  | 'isBroken'
  | 'bufferMs'
  | 'sourceLate'
  | 'sourceFast'
  | 'sourceSilent'
  | 'serverBroke'
  | 'stalledMs'
  | 'loopDelayMs'
  | 'encodeShare'
  | 'encoderDropped'
>;

/** Looks at all players, streams and the server once a second, from its making until `stop`. */
export class SyncObserver {
  readonly #options: SyncObserverOptions;
  readonly #tcp: TcpFactsReader;
  readonly #serverWatch = new ServerWatch();
  #streams = new Map<string, StreamWatch>();
  #streamFacts: readonly StreamFacts[] = [];
  #players = new Map<string, PlayerWatch>();
  readonly #own = new Map<string, Own>();
  #lookedUs: number;
  #hasLooked = false;
  #awakeSinceUs = Number.NEGATIVE_INFINITY;

  constructor(options: SyncObserverOptions) {
    this.#options = options;
    this.#tcp = new TcpFactsReader(options.native);
    this.#lookedUs = options.clock.nowUs();
  }

  /** Those that are connected, by the id of their client. */
  get players(): ReadonlyMap<string, PlayerWatch> {
    return this.#players;
  }

  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  get serverFacts(): ServerFacts {
    return this.#serverWatch.facts(this.#tcp.isAble);
  }

  get streamFacts(): readonly StreamFacts[] {
    return this.#streamFacts;
  }

  /** Takes what a page says of the player in it; of one that is not connected nothing is kept. */
  report(id: string, figures: OwnFigures): void {
    if (this.#players.has(id)) this.#own.set(id, { figures, atUs: this.#options.clock.nowUs() });
  }

  /** Resolves when all have been looked at; a thousand players take a few turns of the event loop. */
  async look(): Promise<void> {
    const nowUs = this.#options.clock.nowUs();
    if (nowUs - this.#lookedUs > awakeUs) this.#awakeSinceUs = nowUs;
    this.#lookedUs = nowUs;
    this.#serverWatch.look(nowUs);
    this.#lookAtStreams(nowUs);
    const { delayMs = 0 } = this.#serverWatch.looks.newest ?? {};
    if (delayMs > limits.loopDelayMs) {
      this.#options.events.add({ side: 'server', what: 'serverLate', value: Math.round(delayMs) });
    }
    const watches = this.#openWatches();
    const surroundings = new Map<string, Surroundings>();
    this.#streamFacts = [...this.#streams].map(([id, stream]) => {
      const around = this.#surroundingsOf(stream);
      surroundings.set(id, around);
      return stream.facts(around.sourceLate + around.sourceFast + around.sourceSilent);
    });
    const connections = this.#connectionsPerMinute(nowUs);
    const nowhere = this.#surroundingsOf(undefined);
    const parts = Math.ceil(watches.length / playersAtOnce);
    let part = 0;
    await inSlices(parts, () => {
      const some = watches.slice(part * playersAtOnce, (part + 1) * playersAtOnce);
      part += 1;
      const rows = this.#tcp.read(some.map(({ session }) => session.connection.kernelDescriptor));
      for (const [index, watch] of some.entries()) {
        const id = watch.session.client?.id ?? '';
        watch.look(nowUs, rows[index] ?? {}, this.#ownOf(id, nowUs));
        const around = surroundings.get(watch.session.channel?.id ?? '') ?? nowhere;
        const facts = {
          ...around,
          ...this.#ownFactsOf(watch, nowUs),
          connectionsPerMinute: connections.get(id) ?? 0,
        };
        watch.verdict = verdict(facts);
        this.#noteEvents(watch, facts, nowUs);
      }
    });
    this.#hasLooked = true;
  }

  factsOf(id: string): PlayerFacts | undefined {
    const watch = this.#players.get(id);
    if (!watch) return undefined;
    const nowUs = this.#lookedUs;
    const { session, looks, driftPpm } = watch;
    const { tcp = {}, own } = looks.newest ?? {};
    const queueMs = this.#queueMs(session, tcp);
    const resent = resentPerSecond(watch);
    const heardMs = (nowUs - session.lastHeardUs) / 1000;
    return {
      id,
      stream: session.channel?.id ?? '',
      transport: session.connection.framing,
      verdict: roundedVerdict(watch),
      ...ms('roundTripMs', tcp.roundTripUs),
      ...ms('roundTripDeviationMs', tcp.roundTripDeviationUs),
      ...ms('leastRoundTripMs', tcp.leastRoundTripUs),
      ...(queueMs !== undefined && { queueMs: Math.round(queueMs) }),
      ...(resent !== undefined && { resentPerSecond: round(resent) }),
      backlogMs: Math.round(session.backlogUs / 1000),
      skippedChunks: looks.growth(({ lostChunks }) => lostChunks) ?? 0,
      ...(heardMs > quietMs && { heardMs: Math.round(heardMs) }),
      ...(driftPpm !== undefined && { driftPpm: round(driftPpm) }),
      ...(own && { own }),
    };
  }

  stop(): void {
    this.#serverWatch.stop();
  }

  #lookAtStreams(nowUs: number): void {
    const known = this.#streams;
    this.#streams = new Map();
    for (const [id, channel] of this.#options.streams.channels) {
      const before = known.get(id);
      const watch = before?.channel === channel ? before : new StreamWatch(channel);
      this.#streams.set(id, watch);
      watch.look(nowUs);
      const dropped = watch.looks.step(({ droppedChunks }) => droppedChunks);
      if (dropped > 0) {
        this.#options.events.add({ side: 'server', what: 'encoderDropped', id, value: dropped });
      }
    }
  }

  /** Of several players with one id the one that has been there longest stands for all. */
  #openWatches(): readonly PlayerWatch[] {
    const known = this.#players;
    this.#players = new Map();
    for (const session of this.#options.sessions()) {
      const id = session.client?.id;
      if (id === undefined || session.state !== 'streaming' || this.#players.has(id)) continue;
      const before = known.get(id);
      this.#players.set(id, before?.session === session ? before : new PlayerWatch(session));
    }
    for (const id of this.#own.keys()) if (!this.#players.has(id)) this.#own.delete(id);
    return [...this.#players.values()];
  }

  #ownOf(id: string, nowUs: number): OwnFigures | undefined {
    const own = this.#own.get(id);
    return own && nowUs - own.atUs < ownUs ? own.figures : undefined;
  }

  #surroundingsOf(stream: StreamWatch | undefined): Surroundings {
    const id = stream?.channel.id;
    const { events } = this.#options;
    const sinceUs = this.#lookedUs - windowUs;
    const source = events.since('source', sinceUs).filter((event) => event.id === id);
    const server = events.since('server', sinceUs);
    const count = (what: EventKind) => source.filter((event) => event.what === what).length;
    const stalls = server.filter(({ what }) => absences.includes(what));
    const broke = server.filter((event) => event.what === 'serverBroke' && event.id === id);
    return {
      bufferMs: stream?.channel.stream.options.bufferMs ?? Number.POSITIVE_INFINITY,
      isBroken: stream?.channel.stream.state === 'disabled',
      sourceLate: count('sourceLate'),
      sourceFast: count('sourceFast'),
      sourceSilent: count('sourceSilent'),
      serverBroke: broke.length,
      stalledMs: stalls.reduce((sum, { value = 0 }) => sum + value, 0),
      loopDelayMs: this.#serverWatch.loopDelayMs,
      encodeShare: stream?.encodeShare ?? 0,
      encoderDropped: stream?.looks.growth(({ droppedChunks }) => droppedChunks) ?? 0,
    };
  }

  #connectionsPerMinute(nowUs: number): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { what, id } of this.#options.events.since('player', nowUs - minuteUs)) {
      if (what === 'joined' && id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  #ownFactsOf(watch: PlayerWatch, nowUs: number) {
    const { session, looks } = watch;
    const { tcp = {}, own } = looks.newest ?? {};
    const { busySinceUs } = session.connection;
    const limitedUs = looks.growth((look) => look.tcp.receiverLimitedUs);
    const { driftPpm } = watch;
    const resent = resentPerSecond(watch);
    const queueMs = this.#queueMs(session, tcp);
    return {
      ...(queueMs !== undefined && { queueMs }),
      ...(tcp.queuedBytes !== undefined && { queuedBytes: tcp.queuedBytes }),
      ...(tcp.ackAgeMs !== undefined && { ackAgeMs: tcp.ackAgeMs }),
      ...(tcp.timeouts !== undefined && { timeouts: tcp.timeouts }),
      ...(resent !== undefined && { resentPerSecond: resent }),
      ...(limitedUs !== undefined &&
        looks.seconds > 0 && { receiverLimitedShare: limitedUs / 1e6 / looks.seconds }),
      ...ms('roundTripMs', tcp.roundTripUs),
      ...ms('leastRoundTripMs', tcp.leastRoundTripUs),
      silentMs: watch.silentMs(nowUs, this.#awakeSinceUs),
      skippedChunks: looks.growth(({ lostChunks }) => lostChunks) ?? 0,
      busyMs: busySinceUs === undefined ? 0 : (nowUs - busySinceUs) / 1000,
      ...(driftPpm !== undefined && { driftPpm }),
      ...(own?.errorMs !== undefined && { ownErrorMs: own.errorMs }),
      ownJumps:
        (looks.growth((look) => look.own?.resyncs) ?? 0) +
        (looks.growth((look) => look.own?.underruns) ?? 0),
    };
  }

  #queueMs(session: Session, { queuedBytes }: TcpRow): number | undefined {
    const perMs = this.#streams.get(session.channel?.id ?? '')?.bytesPerMs;
    if (queuedBytes === undefined || perMs === undefined) return undefined;
    return (queuedBytes + session.connection.unwrittenBytes) / perMs;
  }

  /** One who looked before has noted it. */
  #isSilenceKnown({ client, lastHeardUs }: Session): boolean {
    const events = this.#options.events.since('player', lastHeardUs);
    return events.some(({ what, id }) => what === 'silent' && id === client?.id);
  }

  #noteEvents(watch: PlayerWatch, facts: VerdictFacts, nowUs: number): void {
    const { looks, session } = watch;
    const note = (side: 'network' | 'player', what: EventKind, value: number) => {
      if (value <= 0 || !watch.isNews(what, nowUs)) return;
      const id = session.client?.id ?? '';
      this.#options.events.add({ side, what, id, value: Math.round(value) });
    };
    const over = (value: number, limit: number) => (value > limit ? value : 0);
    const resent = looks.step(({ tcp }) => tcp.retransmissions);
    note('network', 'resent', over(resent, burstSegments - 1));
    note(
      'player',
      'skipped',
      looks.step(({ lostChunks }) => lostChunks),
    );
    const isSilent = facts.silentMs > limits.silentMs;
    if (isSilent && !this.#isSilenceKnown(session)) note('player', 'silent', facts.silentMs);
    note('player', 'waiting', over(facts.busyMs, limits.busyMs));
  }
}

function resentPerSecond({ looks }: PlayerWatch): number | undefined {
  const resent = looks.growth(({ tcp }) => tcp.retransmissions);
  return resent === undefined || looks.seconds === 0 ? undefined : resent / looks.seconds;
}

function roundedVerdict({ verdict: { who, level, because } }: PlayerWatch): PlayerFacts['verdict'] {
  return {
    who,
    level,
    because: because.map(({ reason, value }) => ({ reason, value: round(value) })),
  };
}

function ms<Name extends string>(name: Name, us: number | undefined): { [K in Name]?: number } {
  return us === undefined ? {} : ({ [name]: round(us / 1000, 2) } as { [K in Name]?: number });
}
