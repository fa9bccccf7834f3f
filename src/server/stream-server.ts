import { randomUUID } from 'node:crypto';
import type { Access, Login } from '../auth/access.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import {
  type ClientInfo,
  clientIdOf,
  type Hello,
  maxHelloTextLength,
  type Refusal,
} from '../protocol/messages.ts';
import type { FanOut } from '../transport/fan-out.ts';
import type { Framing, Link } from '../transport/link.ts';
import { addSends, noSends, type SendStatistics } from '../transport/send-statistics.ts';
import type { ChangeListener } from './change.ts';
import { LaterWork } from './later-work.ts';
import { admissionOf, refusalFor } from './player-admission.ts';
import { type ClientRecord, type GroupRecord, isMuted, type Registry } from './registry.ts';
import { Session, type SessionHost } from './session.ts';
import { SessionLog } from './session-log.ts';
import type { StreamChannel } from './stream-channel.ts';
import type { StreamDirectory } from './stream-directory.ts';

const stallCheckMs = 1000;

const transportNames: Readonly<Record<Framing, string>> = { tcp: 'TCP', websocket: 'WebSocket' };

export interface StreamServerOptions {
  readonly clock: Clock;
  readonly fanOut: FanOut;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly streams: Pick<StreamDirectory, 'channels' | 'default'>;
  readonly access: Access;
  readonly onChange: ChangeListener;
  /** Whether audio goes to clients that are muted. */
  readonly sendToMuted: boolean;
  readonly helloTimeoutMs: number;
  /** A client that takes no data for this long is closed. */
  readonly stallTimeoutMs: number;
}

interface Greeting {
  readonly session: Session;
  readonly id: string;
  readonly hello: Hello;
  readonly requestId: number;
}

/** Accepts connections, keeps sessions, and joins them to streams. */
export class StreamServer implements SessionHost {
  readonly #options: StreamServerOptions;
  readonly #logger: Logger;
  readonly #sessionLog: SessionLog;
  readonly #sessions = new Set<Session>();
  readonly #byClientId = new Map<string, Session>();
  /** Whom each session has logged in as. */
  readonly #logins = new WeakMap<Session, Login>();
  readonly #stallTimer: NodeJS.Timeout;
  /** When stalled clients were looked for last, and since when that was done without a break. */
  #lookedUs: number;
  #awakeSinceUs = 0;
  /** What the audio of sessions that are gone did. */
  readonly #endedSends = noSends();
  readonly #departures = new LaterWork();
  #isReroutePending = false;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('StreamServer');
    this.#sessionLog = new SessionLog(this.#logger);
    this.#lookedUs = options.clock.nowUs();
    this.#stallTimer = setInterval(() => this.#closeStalled(), stallCheckMs);
  }

  get sessions(): Iterable<Session> {
    return this.#sessions;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** What the audio of sessions that are gone did since the start. */
  get endedSends(): SendStatistics {
    return { ...this.#endedSends };
  }

  /** The connection of a client; `undefined` while it has none. */
  sessionOf({ id }: ClientRecord): Session | undefined {
    return this.#byClientId.get(id);
  }

  /** Tells a client its settings, when it is connected. */
  sendSettings(client: ClientRecord): void {
    this.sessionOf(client)?.update(this.#options.registry.settingsOf(client));
  }

  /** Finds out what these clients play now; header and audio follow from it. */
  route(clients: Iterable<ClientRecord>): void {
    for (const client of clients) {
      const session = this.sessionOf(client);
      if (session) this.#route(session, client);
    }
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
   * Gives the groups of a stream that is no longer in the directory to the stream that has taken
   * over its name, or else to the default one. When this returns no session plays the old one, and
   * each has the new codec header before its audio.
   */
  streamRemoved(id: string): void {
    const { channels, default: channel } = this.#options.streams;
    if (channel && !channels.get(id)?.isPlayable) {
      for (const group of this.#options.registry.groups.values()) {
        if (group.streamId === id) this.#move(group, channel);
      }
    }
    this.#routeAll();
  }

  /** Ends the connection of a client that the registry has forgotten. */
  dismiss(client: ClientRecord): void {
    const session = this.sessionOf(client);
    this.#byClientId.delete(client.id);
    session?.close('deleted by a controller');
  }

  /** After a change of the users: ends the sessions of those who may not play any more. */
  reviewLogins(): void {
    for (const session of [...this.#sessions]) {
      const login = this.#logins.get(session);
      if (login && refusalFor(login)) session.close('its login does not permit to play any more');
    }
  }

  accept(link: Link): void {
    const { clock, fanOut, helloTimeoutMs } = this.#options;
    const session = new Session({ link, clock, fanOut, helloTimeoutMs }, this);
    this.#sessions.add(session);
    const transport = transportNames[link.framing];
    const kind = session.path.isZeroCopy ? 'zerocopy-enabled' : `regular ${transport}`;
    const { remoteAddress } = session.connection;
    const phrase = `Creating ${kind} session for ${remoteAddress}`;
    this.#sessionLog.add('created', remoteAddress, { level: 'info', phrase });
  }

  /** Ends all sessions; the streams stay. */
  async close(): Promise<void> {
    clearInterval(this.#stallTimer);
    for (const session of [...this.#sessions]) session.close('the server stops');
    this.#departures.finish();
    this.#sessionLog.stop();
  }

  onHello(session: Session, hello: Hello, requestId: number): Promise<void> | undefined {
    const { access } = this.#options;
    const id = clientIdOf(hello) || randomUUID();
    this.#logHello(session, id, hello);
    const finish = (admission: Login | Refusal) => {
      if (session.state === 'closed') return;
      if ('code' in admission) return session.refuse(admission, requestId);
      this.#logins.set(session, admission);
      this.#admit({ session, id, hello, requestId });
    };
    if (!access.anonymous) {
      const { remoteAddress } = session.connection;
      return admissionOf(access, hello.auth, remoteAddress).then(finish);
    }
    finish(refusalFor(access.anonymous) ?? access.anonymous);
    return undefined;
  }

  onClientInfo(session: Session, client: ClientRecord, info: ClientInfo): void {
    this.#options.registry.report(client, info);
    this.#route(session, client);
    this.#options.onChange({ kind: 'client-volume', client });
  }

  onSignOfLife(client: ClientRecord): void {
    this.#options.registry.seen(client);
  }

  onClose(session: Session, reason: string): void {
    this.#sessions.delete(session);
    addSends(this.#endedSends, session.path.totals);
    this.#departures.add(() => this.#seeOff(session, reason));
  }

  #seeOff(session: Session, reason: string): void {
    const { client, connection } = session;
    this.#forget(session);
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
    const program = `${hello.clientName} ${hello.version}`.slice(0, maxHelloTextLength);
    this.#sessionLog.add('hello', address, {
      level: 'info',
      phrase: `Hello from ${id}`,
      fields: { address, host: hello.hostName, program, os: hello.os },
    });
  }

  #admit({ session, id, hello, requestId }: Greeting): void {
    const { registry, streams, onChange } = this.#options;
    if (session.client?.id !== id) this.#forget(session);
    const older = this.#byClientId.get(id);
    // The client does not go away in between.
    this.#byClientId.set(id, session);
    if (older !== session) older?.close('replaced by a newer connection of the same client');
    const address = session.connection.remoteAddress;
    const { client, isNew, forgotten } = registry.join(id, { hello, address });
    // Nobody has heard of its group yet: that it has a stream from now on is no news.
    if (isNew) client.group.streamId = streams.default?.id ?? '';
    session.welcome(client, registry.settingsOf(client), requestId);
    this.#route(session, client);
    for (const gone of forgotten) onChange({ kind: 'client-removed', client: gone });
    onChange({ kind: isNew ? 'client-added' : 'client-connected', client });
  }

  /** The session no longer speaks for its client, unless a newer one already does. */
  #forget(session: Session): void {
    const { client } = session;
    if (!client || this.#byClientId.get(client.id) !== session) return;
    this.#byClientId.delete(client.id);
    const { registry, onChange } = this.#options;
    const forgotten = registry.leave(client);
    onChange({ kind: 'client-disconnected', client });
    for (const gone of forgotten) onChange({ kind: 'client-removed', client: gone });
  }

  #routeAll(): void {
    for (const session of this.#sessions) {
      if (session.client) this.#route(session, session.client);
    }
  }

  #route(session: Session, client: ClientRecord): void {
    const isAudible = this.#options.sendToMuted || !isMuted(client);
    session.play(this.#channelFor(client.group), isAudible);
  }

  /**
   * The stream of a group. A group without one, or whose stream cannot be played any more, gets the
   * default stream for good. Source: protocol reference, 5.1 and 5.6.
   */
  #channelFor(group: GroupRecord): StreamChannel | undefined {
    const { streams } = this.#options;
    const own = streams.channels.get(group.streamId);
    if (own?.isPlayable) return own;
    const channel = streams.default;
    if (channel) this.#move(group, channel);
    return channel;
  }

  #move(group: GroupRecord, channel: StreamChannel): void {
    const { streamId: from, clients } = group;
    group.streamId = channel.id;
    for (const { id, isConnected } of from ? clients : []) {
      if (!isConnected) continue;
      this.#logger.info('client moved to another stream', { client: id, from, to: channel.id });
    }
    this.#options.onChange({ kind: 'group-stream', group });
  }

  #closeStalled(): void {
    const { clock, stallTimeoutMs } = this.#options;
    const nowUs = clock.nowUs();
    // What a client took while this server was away is not known yet: its time begins anew.
    if (nowUs - this.#lookedUs > 2 * stallCheckMs * 1000) this.#awakeSinceUs = nowUs;
    this.#lookedUs = nowUs;
    const limitUs = nowUs - stallTimeoutMs * 1000;
    for (const session of [...this.#sessions]) {
      const { busySinceUs } = session.connection;
      if (busySinceUs !== undefined && Math.max(busySinceUs, this.#awakeSinceUs) < limitUs) {
        session.close(`took no data for ${stallTimeoutMs} ms`);
      }
    }
  }
}
