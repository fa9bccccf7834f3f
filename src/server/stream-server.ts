import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { type ClientInfo, clientIdOf, type Hello } from '../protocol/messages.ts';
import type { FanOut } from '../transport/fan-out.ts';
import type { Framing, Link } from '../transport/link.ts';
import type { ClientRecord, Registry } from './registry.ts';
import { Session, type SessionHost } from './session.ts';
import type { StreamChannel } from './stream-channel.ts';

const stallCheckMs = 1000;

const transportNames: Readonly<Record<Framing, string>> = { tcp: 'TCP', websocket: 'WebSocket' };

export interface StreamServerOptions {
  readonly clock: Clock;
  readonly fanOut: FanOut;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Whether audio goes to clients that are muted. */
  readonly sendToMuted: boolean;
  readonly helloTimeoutMs: number;
  /** A client that takes no data for this long is closed. */
  readonly stallTimeoutMs: number;
}

/** Accepts connections, keeps sessions, and joins them to streams. */
export class StreamServer implements SessionHost {
  readonly #options: StreamServerOptions;
  readonly #logger: Logger;
  readonly #sessions = new Set<Session>();
  readonly #byClientId = new Map<string, Session>();
  readonly #channels = new Map<string, StreamChannel>();
  readonly #stallTimer: NodeJS.Timeout;

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('StreamServer');
    this.#stallTimer = setInterval(() => this.#closeStalled(), stallCheckMs);
  }

  get sessions(): Iterable<Session> {
    return this.#sessions;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get channels(): ReadonlyMap<string, StreamChannel> {
    return this.#channels;
  }

  /** Adds a stream, and gives it to clients that had none. */
  addChannel(channel: StreamChannel): void {
    this.#channels.set(channel.id, channel);
    this.reroute();
  }

  /**
   * Finds anew what each session plays: a stream has come, or one cannot go on.
   *
   * Not at once, as a stream may break in the very moment in which a session subscribes to it.
   */
  reroute(): void {
    queueMicrotask(() => {
      for (const session of this.#sessions) this.#route(session);
    });
  }

  accept(link: Link): void {
    const { clock, fanOut, helloTimeoutMs } = this.#options;
    const session = new Session({ link, clock, fanOut, helloTimeoutMs }, this);
    this.#sessions.add(session);
    const transport = transportNames[link.framing];
    const kind = session.path.isZeroCopy ? 'zerocopy-enabled' : `regular ${transport}`;
    this.#logger.info(`Creating ${kind} session for ${session.connection.remoteAddress}`);
  }

  async close(): Promise<void> {
    clearInterval(this.#stallTimer);
    for (const session of [...this.#sessions]) session.close('the server stops');
    await Promise.all([...this.#channels.values()].map((channel) => channel.stop()));
    this.#channels.clear();
  }

  onHello(session: Session, hello: Hello, requestId: number): void {
    const { registry } = this.#options;
    const id = clientIdOf(hello) || randomUUID();
    const address = session.connection.remoteAddress;
    this.#logger.info(`Hello from ${id}`, {
      address,
      host: hello.hostName,
      program: `${hello.clientName} ${hello.version}`,
      os: hello.os,
    });
    if (session.client && session.client.id !== id) this.#forget(session);
    const older = this.#byClientId.get(id);
    if (older !== session) older?.close('replaced by a newer connection of the same client');
    this.#byClientId.set(id, session);
    const client = registry.join(id, { hello, address });
    session.welcome(client, registry.settingsOf(client), requestId);
    this.#route(session);
  }

  onClientInfo(session: Session, client: ClientRecord, info: ClientInfo): void {
    this.#options.registry.report(client, info);
    this.#route(session);
  }

  onSignOfLife(client: ClientRecord): void {
    this.#options.registry.seen(client);
  }

  onClose(session: Session, reason: string): void {
    const { client, connection } = session;
    this.#sessions.delete(session);
    if (client) this.#forget(session);
    const isFault = reason.startsWith('protocol violation');
    this.#logger[isFault ? 'warn' : 'info']('session closed', {
      client: client?.id ?? 'unknown',
      address: connection.remoteAddress,
      reason,
    });
  }

  /** The session no longer speaks for its client, unless a newer one already does. */
  #forget(session: Session): void {
    const { client } = session;
    if (!client || this.#byClientId.get(client.id) !== session) return;
    this.#byClientId.delete(client.id);
    this.#options.registry.leave(client);
  }

  #route(session: Session): void {
    const { client } = session;
    if (client) session.play(this.#channelFor(client), this.#isAudible(client));
  }

  /**
   * The stream of the client's group. A group without one, or whose stream cannot be played any
   * more, gets the default stream for good. Source: protocol reference, 5.1 and 5.6.
   */
  #channelFor({ id, group }: ClientRecord): StreamChannel | undefined {
    const { streamId } = group;
    const own = this.#channels.get(streamId);
    if (own?.isPlayable) return own;
    const channel = this.#defaultChannel();
    if (!channel) return undefined;
    group.streamId = channel.id;
    if (streamId) {
      this.#logger.info('client moved to another stream', {
        client: id,
        from: streamId,
        to: channel.id,
      });
    }
    return channel;
  }

  #isAudible(client: ClientRecord): boolean {
    const { sendToMuted, registry } = this.#options;
    return sendToMuted || !registry.settingsOf(client).muted;
  }

  /** The first stream that clients can play. */
  #defaultChannel(): StreamChannel | undefined {
    for (const channel of this.#channels.values()) if (channel.isPlayable) return channel;
    return undefined;
  }

  #closeStalled(): void {
    const { clock, stallTimeoutMs } = this.#options;
    const limitUs = clock.nowUs() - stallTimeoutMs * 1000;
    for (const session of [...this.#sessions]) {
      const { busySinceUs } = session.connection;
      if (busySinceUs !== undefined && busySinceUs < limitUs) {
        session.close(`took no data for ${stallTimeoutMs} ms`);
      }
    }
  }
}
