import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Access, Login } from '../auth/access.ts';
import type { Clock } from '../base/clock.ts';
import { cutText } from '../base/foreign-text.ts';
import type { Logger } from '../base/logger.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import type { ClientRecord, GroupRecord } from '../clients/client-record.ts';
import { isMuted, type Registry } from '../clients/registry.ts';
import {
  type ClientInfo,
  clientIdOf,
  type EdgeWish,
  type Hello,
  maxHelloTextLength,
  type Refusal,
  type ServerSettings,
} from '../protocol/messages.ts';
import type { ChangeListener } from '../streams/change.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { Variant } from '../streams/variant.ts';
import type { FanOut } from '../transport/fan-out.ts';
import type { Framing, Link } from '../transport/link.ts';
import { addSends, noSends, type SendStatistics } from '../transport/send-statistics.ts';
import { ClientSessions, maxSessionsOfClient, silentUs } from './client-sessions.ts';
import { EdgeDesk, type EdgeDeskOptions } from './edge-desk.ts';
import { GroupStreams } from './group-streams.ts';
import { loginOfPlayer, refusalFor } from './player-login.ts';
import { Session, type SessionHost } from './session.ts';
import { SessionLog } from './session-log.ts';
import type { SettingsOverride } from './settings-override.ts';

const stallCheckMs = 1000;
/** What a mixer says so soon after it was set from elsewhere is its rounding of that. */
const mixerEchoUs = 1_000_000;
/** Rounding is not coarser, percent. */
const maxMixerStep = 10;
const replacedReason = 'replaced by a newer connection of the same client';

const transportNames: Readonly<Record<Framing, string>> = { tcp: 'TCP', websocket: 'WebSocket' };

export interface PlayerServerOptions {
  readonly clock: Clock;
  readonly fanOut: FanOut;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly streams: Pick<StreamDirectory, 'channels' | 'default'>;
  readonly access: Access;
  readonly onChange: ChangeListener;
  /** A connection of a client has ended. */
  readonly onLeft?: (client: ClientRecord, reason: string) => void;
  /** What a client hears in the place of its stream. */
  readonly variantFor?: (client: ClientRecord, channel: StreamChannel) => Variant | undefined;
  /** What clients are told in the place of their settings while they play a variant. */
  readonly overrideOf?: (variant: Variant) => SettingsOverride | undefined;
  /** Whether it can tell the time; until then players are sent away, and try again. */
  readonly isReady?: () => boolean;
  /** What edges are told. */
  readonly edges: Omit<EdgeDeskOptions, 'streams'>;
  readonly settings: () => {
    /** Whether audio goes to clients that are muted. */
    readonly sendToMuted: boolean;
    readonly helloTimeoutMs: number;
    /** A client that takes no data for this long is closed. */
    readonly stallTimeoutMs: number;
  };
}

/** Settings that a session was told while they were not those of its client, or when they were again. */
interface Told {
  readonly settings: ServerSettings;
  readonly atUs: number;
  readonly isOverridden: boolean;
}

interface Greeting {
  readonly session: Session;
  readonly id: string;
  readonly hello: Hello;
  readonly requestId: number;
}

/** Accepts connections, keeps sessions, and joins them to streams. */
export class PlayerServer implements SessionHost {
  readonly #options: PlayerServerOptions;
  readonly #logger: Logger;
  readonly #sessionLog: SessionLog;
  readonly #sessions = new Set<Session>();
  readonly #ofClients = new ClientSessions();
  readonly #edges: EdgeDesk;
  readonly #groupStreams: GroupStreams;
  /** When each session was last told what another one of its client said of its mixer. */
  readonly #mixerSetUs = new WeakMap<Session, number>();
  /** Of the variants that a session has got the audio of, as it plays that later. */
  readonly #overrides = new WeakMap<Session, readonly SettingsOverride[]>();
  readonly #told = new WeakMap<Session, Told>();
  /** The sign of life of each client that was noted last of those that the addon knows of. */
  readonly #notedUs = new WeakMap<ClientRecord, number>();
  /** Whom each session has logged in as. */
  readonly #logins = new WeakMap<Session, Login>();
  /** Runs while there are sessions. */
  #stallTimer: NodeJS.Timeout | undefined;
  /** When stalled clients were looked for last, and since when that was done without a break. */
  #lookedUs: number;
  #awakeSinceUs = 0;
  /** What the audio of sessions that are gone did. */
  readonly #endedSends = noSends();
  /** A thousand clients that go at one time must not hold up the audio of the others. */
  readonly #departures = new LoopShare();
  #isReroutePending = false;

  constructor(options: PlayerServerOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('PlayerServer');
    this.#sessionLog = new SessionLog(this.#logger);
    const { registry, streams, onChange } = options;
    this.#edges = new EdgeDesk({ ...options.edges, streams });
    registry.lookBy((client) => this.#lookForSigns(client));
    this.#groupStreams = new GroupStreams({ registry, streams, logger: this.#logger, onChange });
    this.#lookedUs = options.clock.nowUs();
  }

  get sessions(): Iterable<Session> {
    return this.#sessions;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Names of the servers that take streams from this one. */
  get edgeNames(): ReadonlySet<string> {
    return this.#edges.names;
  }

  /** What the audio of sessions that are gone did since the start. */
  get endedSends(): SendStatistics {
    return { ...this.#endedSends };
  }

  /** The connections of a client: more than one while several players have its id. */
  sessionsOf({ id }: ClientRecord): readonly Session[] {
    return this.#ofClients.of(id).map(({ session }) => session);
  }

  /** Tells a client its settings, when it is connected. */
  sendSettings(client: ClientRecord): void {
    for (const { session } of this.#ofClients.of(client.id)) this.#tell(session, client);
  }

  /** Finds out what these clients play now; header and audio follow from it. */
  route(clients: Iterable<ClientRecord>): void {
    for (const client of clients) {
      for (const { session } of this.#ofClients.of(client.id)) this.#route(session, client);
    }
  }

  /** Those that hear a variant find out what they hear now. Returns how many still hear it. */
  routeFrom(variant: Variant): number {
    let count = 0;
    for (const session of this.#sessions) {
      if (session.variant !== variant || !session.client) continue;
      this.#route(session, session.client);
      if (session.variant === variant) count += 1;
    }
    return count;
  }

  /** The same for a group that was given a stream: also when all of its clients are away. */
  routeGroup(group: GroupRecord): void {
    this.#groupStreams.channelFor(group);
    this.route(group.clients);
  }

  /**
   * Finds anew what each session plays: a stream has come, or one cannot go on.
   *
   * Not at once, as a stream may break in the very moment in which a session subscribes to it.
   */
  reroute(): void {
    if (this.#isReroutePending) return;
    this.#isReroutePending = true;
    queueMicrotask(() => {
      this.#isReroutePending = false;
      this.#routeAll();
    });
  }

  /**
   * The groups of a stream that is no longer in the directory play the one that has taken over its
   * name, or else the default one. When this returns no session plays the old one, and each has the
   * new codec header before its audio.
   */
  streamRemoved(): void {
    this.#routeAll();
  }

  /** Ends the connections of a client that the registry has forgotten. */
  disconnect(client: ClientRecord): void {
    for (const session of this.sessionsOf(client)) {
      this.#ofClients.delete(client.id, session);
      session.close('deleted by a controller');
    }
  }

  /** After a change of the users: ends the sessions of users who may not play any more. */
  reviewLogins(): void {
    for (const session of [...this.#sessions]) {
      const login = this.#logins.get(session);
      if (login && refusalFor(login)) session.close('its login does not permit to play any more');
    }
  }

  accept(link: Link): void {
    const { clock, fanOut, settings, isReady } = this.#options;
    if (isReady && !isReady()) {
      link.socket.destroy();
      return;
    }
    const { helloTimeoutMs } = settings();
    const session = new Session({ link, clock, fanOut, helloTimeoutMs }, this);
    this.#sessions.add(session);
    this.#startReviews();
    const transport = transportNames[link.framing];
    const kind = session.path.isZeroCopy ? 'zerocopy-enabled' : `regular ${transport}`;
    const { remoteAddress } = session.connection;
    const phrase = `Creating ${kind} session for ${remoteAddress}`;
    this.#sessionLog.add('created', remoteAddress, { level: 'info', phrase });
  }

  /** Ends all sessions; the streams stay. */
  async close(): Promise<void> {
    for (const session of [...this.#sessions]) session.close('the server stops');
    this.#departures.finish();
    this.#sessionLog.stop();
  }

  onHello(session: Session, hello: Hello, requestId: number): Promise<void> | undefined {
    const { access } = this.#options;
    const id = clientIdOf(hello) || randomUUID();
    this.#logHello(session, id, hello);
    const finish = (entry: Login | Refusal) => {
      if (session.state === 'closed') return;
      if ('code' in entry) return session.refuse(entry, requestId);
      this.#logins.set(session, entry);
      this.#edges.forget(session);
      if (hello.edge) this.#admitEdge({ session, id, hello, requestId }, hello.edge);
      else this.#admit({ session, id, hello, requestId });
    };
    if (!access.anonymous) {
      const { remoteAddress } = session.connection;
      return loginOfPlayer(access, hello.auth, remoteAddress).then(finish);
    }
    finish(refusalFor(access.anonymous) ?? access.anonymous);
    return undefined;
  }

  onClientInfo(session: Session, client: ClientRecord, info: ClientInfo): void {
    if (this.#isEcho(session, info)) return;
    this.#options.registry.report(client, info);
    this.#tellOtherMixers(session, client);
    this.route([client]);
    this.#options.onChange({ kind: 'client-volume', client });
  }

  onSignOfLife(client: ClientRecord): void {
    this.#options.registry.seen(client);
  }

  /** The addon answers Time requests without a word, and is asked for the last one. */
  #lookForSigns(client: ClientRecord): void {
    const { clock, registry } = this.#options;
    let newestUs = this.#notedUs.get(client) ?? 0;
    const knownUs = newestUs;
    for (const { session } of this.#ofClients.of(client.id)) {
      const { answeredUs } = session.connection;
      if (answeredUs > session.helloUs) newestUs = Math.max(newestUs, answeredUs);
    }
    if (newestUs === knownUs) return;
    this.#notedUs.set(client, newestUs);
    registry.seen(client, (clock.nowUs() - newestUs) / 1000);
  }

  onClose(session: Session, reason: string): void {
    this.#sessions.delete(session);
    this.#edges.forget(session);
    if (this.#sessions.size === 0) this.#stopReviews();
    addSends(this.#endedSends, session.path.totals);
    this.#departures.soon(() => this.#closeSession(session, reason));
  }

  #startReviews(): void {
    if (this.#stallTimer) return;
    // There was nothing to look for.
    this.#lookedUs = this.#options.clock.nowUs();
    this.#stallTimer = setInterval(() => this.#review(), stallCheckMs);
  }

  #stopReviews(): void {
    clearInterval(this.#stallTimer);
    this.#stallTimer = undefined;
  }

  #closeSession(session: Session, reason: string): void {
    const { client, connection } = session;
    this.#forget(session);
    if (client) this.#options.onLeft?.(client, reason);
    const isFault = reason.startsWith('protocol violation') || reason.startsWith('refused');
    const address = connection.remoteAddress;
    this.#sessionLog.add('closed', address, {
      level: isFault ? 'warn' : 'info',
      phrase: 'session closed',
      fields: { client: client?.id ?? 'unknown', address, reason },
    });
  }

  #logHello(session: Session, id: string, hello: Hello): void {
    const address = session.connection.remoteAddress;
    const program = cutText(`${hello.clientName} ${hello.version}`, maxHelloTextLength);
    this.#sessionLog.add('hello', address, {
      level: 'info',
      phrase: `Hello from ${id}`,
      fields: { address, host: hello.hostName, program, os: hello.os },
    });
  }

  #admitEdge({ session, requestId }: Greeting, wish: EdgeWish): void {
    this.#forget(session);
    this.#edges.greet(session, wish, requestId);
  }

  #admit({ session, id, hello, requestId }: Greeting): void {
    if (session.client?.id !== id) this.#forget(session);
    this.#told.delete(session);
    this.#makeWay(id, session);
    const players = this.#ofClients.of(id);
    const isAnother = !players.some((player) => player.session === session);
    if (isAnother && players.length >= maxSessionsOfClient) {
      session.close(`refused: ${maxSessionsOfClient} players have the id ${id} already`);
      return;
    }
    const { auth: _secret, ...known } = hello;
    this.#ofClients.add(id, { session, hello: known });
    const client = this.#options.registry.clients.get(id);
    if (client && !this.#isFirst(session, id)) {
      if (!hello.isVisitor) client.isVisitor = false;
      this.#joinOthers(session, client, requestId);
    } else this.#join({ session, id, hello: known, requestId });
  }

  /** Ends the connections of a client without a player behind; it does not go away by that. */
  #makeWay(id: string, newer: Session): void {
    for (const older of this.#ofClients.silentOf(id, this.#limitUs(silentUs))) {
      if (older === newer) continue;
      const wasFirst = this.#isFirst(older, id);
      this.#ofClients.delete(id, older);
      if (wasFirst && older.client) this.#describeBySuccessor(older.client);
      older.close(replacedReason);
    }
  }

  #isFirst(session: Session, id: string): boolean {
    return this.#ofClients.of(id)[0]?.session === session;
  }

  #join({ session, id, hello, requestId }: Greeting): void {
    const { registry, streams, onChange } = this.#options;
    const address = session.connection.remoteAddress;
    const { client, isNew, forgotten } = registry.join(id, { hello, address });
    // No controller has heard of its group yet: that it has a stream from now on is no news.
    if (isNew) client.group.streamId = streams.default?.id ?? '';
    session.welcome(client, registry.settingsOf(client), requestId);
    this.#route(session, client);
    this.#logFallback(client);
    for (const gone of forgotten) onChange({ kind: 'client-removed', client: gone });
    onChange({ kind: isNew ? 'client-added' : 'client-connected', client });
  }

  #logFallback({ id, address, group }: ClientRecord): void {
    const { streamId, fallbackId } = group;
    if (fallbackId === undefined) return;
    this.#sessionLog.add('fallback', address, {
      level: 'info',
      phrase: 'client plays another stream while its own cannot be played',
      fields: { client: id, own: streamId, plays: fallbackId },
    });
  }

  /** Another player has the id: the client stays what the first one has said. */
  #joinOthers(session: Session, client: ClientRecord, requestId: number): void {
    const { registry } = this.#options;
    registry.seen(client);
    session.welcome(client, registry.settingsOf(client), requestId);
    this.#route(session, client);
  }

  /** The session no longer speaks for its client, which is away when it was the last one. */
  #forget(session: Session): void {
    const { client } = session;
    if (!client) return;
    const wasFirst = this.#isFirst(session, client.id);
    if (!this.#ofClients.delete(client.id, session)) return;
    const { registry, onChange } = this.#options;
    if (this.#ofClients.of(client.id).length > 0) {
      if (wasFirst) this.#describeBySuccessor(client);
      return;
    }
    const forgotten = registry.leave(client);
    if (!forgotten.includes(client)) onChange({ kind: 'client-disconnected', client });
    for (const gone of forgotten) onChange({ kind: 'client-removed', client: gone });
  }

  /** The player that has been there longest now is the one that controllers see. */
  #describeBySuccessor(client: ClientRecord): void {
    const [player] = this.#ofClients.of(client.id);
    if (!player) return;
    const { registry, onChange } = this.#options;
    const { address: oldAddress, hello: oldHello } = client;
    const { hello, session } = player;
    const address = session.connection.remoteAddress;
    registry.join(client.id, { hello, address });
    if (address === oldAddress && isDeepStrictEqual(hello, oldHello)) return;
    onChange({ kind: 'client-connected', client });
  }

  /**
   * One volume holds for all players of a client. What their mixers make of it is not told on: two that
   * round differently would answer each other for ever.
   */
  #tellOtherMixers(from: Session, client: ClientRecord): void {
    const nowUs = this.#options.clock.nowUs();
    const setUs = this.#mixerSetUs.get(from);
    if (setUs !== undefined && nowUs - setUs < mixerEchoUs) return;
    for (const session of this.sessionsOf(client)) {
      if (session === from) continue;
      this.#mixerSetUs.set(session, nowUs);
      this.#tell(session, client);
    }
  }

  #routeAll(): void {
    this.#groupStreams.review();
    this.#edges.review();
    for (const session of this.#sessions) {
      if (session.client) this.#route(session, session.client);
    }
  }

  #route(session: Session, client: ClientRecord): void {
    const isAudible = this.#options.settings().sendToMuted || !isMuted(client);
    const before = session.channel;
    const channel = this.#groupStreams.channelFor(client.group);
    const variant = channel && this.#options.variantFor?.(client, channel);
    // Until it has got all of that.
    const isUnmuted =
      !isAudible && [variant, session.variant].some((one) => this.#unmutes(one, client));
    session.play(channel, isAudible || isUnmuted, variant);
    if (isUnmuted && !session.variant) session.play(channel, false);
    if (session.channel !== before) this.#overrides.delete(session);
    const override = session.variant && this.#options.overrideOf?.(session.variant);
    if (override) this.#addOverride(session, override);
    const isOverridden = this.#overriddenOf(session, client) !== undefined;
    if (isOverridden !== (this.#told.get(session)?.isOverridden ?? false))
      this.#tell(session, client);
  }

  #unmutes(variant: Variant | undefined, client: ClientRecord): boolean {
    return (variant && this.#options.overrideOf?.(variant)?.unmutes(client)) ?? false;
  }

  #addOverride(session: Session, override: SettingsOverride): void {
    const known = this.#overrides.get(session) ?? [];
    if (known.includes(override)) return;
    this.#overrides.set(session, [...known.filter(({ isOver }) => !isOver), override]);
  }

  #overriddenOf(session: Session, client: ClientRecord): Partial<ServerSettings> | undefined {
    const settings = this.#overrides.get(session)?.map((override) => override.settingsFor(client));
    return settings?.find((one) => one !== undefined);
  }

  #tell(session: Session, client: ClientRecord): void {
    const override = this.#overriddenOf(session, client);
    const settings = { ...this.#options.registry.settingsOf(client), ...override };
    const isOverridden = override !== undefined;
    if (isOverridden || this.#told.get(session)?.isOverridden) {
      this.#told.set(session, { settings, atUs: this.#options.clock.nowUs(), isOverridden });
    }
    session.update(settings);
  }

  /** A mixer says what it was told for a while, which is no wish of anybody. */
  #isEcho(session: Session, { volume, muted }: ClientInfo): boolean {
    const told = this.#told.get(session);
    if (!told || muted !== told.settings.muted) return false;
    if (told.isOverridden && volume === told.settings.volume) return true;
    const isSoon = this.#options.clock.nowUs() - told.atUs < mixerEchoUs;
    return isSoon && Math.abs(volume - told.settings.volume) <= maxMixerStep;
  }

  #review(): void {
    this.#closeStalled();
    this.#reviewSharedIds();
  }

  #closeStalled(): void {
    const { stallTimeoutMs } = this.#options.settings();
    const limitUs = this.#limitUs(stallTimeoutMs * 1000);
    for (const session of [...this.#sessions]) {
      const { busySinceUs } = session.connection;
      if (busySinceUs !== undefined && busySinceUs < limitUs) {
        session.close(`took no data for ${stallTimeoutMs} ms`);
      }
    }
  }

  #reviewSharedIds(): void {
    for (const session of this.#ofClients.replaced(this.#limitUs(silentUs))) {
      session.close(replacedReason);
    }
    for (const { client, older, newer } of this.#ofClients.takeSharedIds()) {
      const { remoteAddress } = newer.connection;
      this.#sessionLog.add('shared-id', remoteAddress, {
        level: 'warn',
        phrase: 'several players have one id: all of them play, as one client',
        fields: {
          client: client.id,
          addresses: `${older.connection.remoteAddress}, ${remoteAddress}`,
          remedy: 'start each with --hostID, or --instance if they run on one machine',
        },
      });
    }
  }

  /**
   * A player that took or said nothing since then has gone. What it did while this server was away is
   * not known yet: its time begins anew.
   */
  #limitUs(patienceUs: number): number {
    const nowUs = this.#options.clock.nowUs();
    if (nowUs - this.#lookedUs > 2 * stallCheckMs * 1000) this.#awakeSinceUs = nowUs;
    this.#lookedUs = nowUs;
    const limitUs = nowUs - patienceUs;
    return limitUs > this.#awakeSinceUs ? limitUs : Number.NEGATIVE_INFINITY;
  }
}
