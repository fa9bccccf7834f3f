import { ChunkPool } from '../../src/audio/chunk-pool.ts';
import { type Access, openAccess } from '../../src/auth/access.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { ClientRecord, GroupRecord } from '../../src/clients/client-record.ts';
import { playedStreamId, type Registry } from '../../src/clients/registry.ts';
import type { GroupControl } from '../../src/players/group-control.ts';
import type { MixControl } from '../../src/players/mix-control.ts';
import type { PlayerServer } from '../../src/players/player-server.ts';
import type { Session } from '../../src/players/session.ts';
import { messageType } from '../../src/protocol/layout.ts';
import { decodeCodecHeader, type Hello } from '../../src/protocol/messages.ts';
import type { Change, Requester } from '../../src/streams/change.ts';
import type { StreamDirectory } from '../../src/streams/stream-directory.ts';
import type { Admit } from '../../src/transport/admission.ts';
import type { FanOut } from '../../src/transport/fan-out.ts';
import { Listener, socketServers } from '../../src/transport/listener.ts';
import { NodeFanOut } from '../../src/transport/node-fan-out.ts';
import { TcpLink } from '../../src/transport/tcp-link.ts';
import { LogLines } from './log-lines.ts';
import { streamDefaults } from './reader-rig.ts';
import { ScriptedClient } from './scripted-client.ts';
import { serverParts } from './server-parts.ts';
import { turn, until } from './waiting.ts';

export interface PlayerRigOptions {
  readonly access?: Access;
  readonly sendToMuted?: boolean;
  readonly maxClients?: number;
  readonly helloTimeoutMs?: number;
  readonly stallTimeoutMs?: number;
  /** How late audio may come on a busy machine; absent: as usual. */
  readonly resyncToleranceMs?: number;
  /** What connections pass; absent: they are let in at once. */
  readonly admit?: Admit;
  readonly fanOut?: (pool: ChunkPool) => FanOut;
  /** Of the sessions; absent: the real one. */
  readonly clock?: Clock;
}

/** Streams, players and their groups, with real sockets and without anything for controllers. */
export class PlayerRig {
  readonly pool = new ChunkPool({ verifySeals: true });
  readonly log = new LogLines();
  readonly registry: Registry;
  readonly streams: StreamDirectory;
  readonly server: PlayerServer;
  readonly groups: GroupControl;
  readonly mixes: MixControl;
  /** What was told: kind, id of what it is about, and who caused it. */
  readonly changes: [Change['kind'], string, Requester?][] = [];
  readonly #fanOut: FanOut;
  readonly #clients: ScriptedClient[] = [];
  #listener: Listener | undefined;

  /** Starts with streams of these addresses. */
  static async open(sources: readonly string[], options: PlayerRigOptions = {}) {
    const rig = new PlayerRig(options);
    for (const address of sources) await rig.streams.addTrusted(address);
    rig.#listener = await Listener.open({
      addresses: ['127.0.0.1'],
      port: 0,
      setting: 'tcp-streaming',
      logger: rig.log,
      admit: options.admit,
      createServer: socketServers((socket) => rig.server.accept(new TcpLink(socket))),
    });
    rig.changes.length = 0;
    return rig;
  }

  private constructor(options: PlayerRigOptions) {
    const { access = openAccess, sendToMuted = false, helloTimeoutMs = 5000 } = options;
    const { maxClients = 100, stallTimeoutMs = 5000 } = options;
    const { pool, log: logger } = this;
    this.#fanOut = options.fanOut?.(pool) ?? new NodeFanOut(pool);
    const parts = serverParts({
      pool,
      logger,
      fanOut: this.#fanOut,
      access,
      onChange: (change, by) => this.#onChange(change, by),
      ...(options.resyncToleranceMs !== undefined && {
        factory: {
          settings: () => ({
            defaults: { ...streamDefaults, resyncToleranceMs: options.resyncToleranceMs! },
            pluginDir: '/',
            sandboxDir: '/',
          }),
        },
      }),
      registry: { settings: () => ({ initialVolume: 100, maxClients }) },
      server: {
        settings: () => ({ sendToMuted, helloTimeoutMs, stallTimeoutMs }),
        ...(options.clock && { clock: options.clock }),
      },
    });
    this.registry = parts.registry;
    this.streams = parts.streams;
    this.server = parts.server;
    this.groups = parts.groups;
    this.mixes = parts.mixes;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** A player that has said Hello and is known to the server. */
  async join(id: string, rest: Partial<Hello> = {}): Promise<ScriptedClient> {
    const client = this.keep(await ScriptedClient.greet(this.port, id, rest));
    await until(() => this.registry.clients.get(id)?.isConnected === true, `${id} is connected`);
    return client;
  }

  /** A player that has got the first of its audio, and so everything that goes before. */
  async playing(id: string): Promise<ScriptedClient> {
    const client = await this.join(id);
    await client.untilCount(messageType.wireChunk, 1);
    return client;
  }

  /** Closes this client at the end. */
  keep(client: ScriptedClient): ScriptedClient {
    this.#clients.push(client);
    return client;
  }

  client(id: string): ClientRecord {
    const client = this.registry.clients.get(id);
    if (!client) throw new Error(`there is no client ${id}`);
    return client;
  }

  /** The group of a client. */
  group(id: string): GroupRecord {
    return this.client(id).group;
  }

  /** The stream that the group of a client plays. */
  played(id: string): string {
    return playedStreamId(this.group(id));
  }

  session(id: string): Session {
    const [session] = this.server.sessionsOf(this.client(id));
    if (!session) throw new Error(`${id} is not connected`);
    return session;
  }

  /** The ids of the members of each group. */
  get members(): readonly (readonly string[])[] {
    return [...this.registry.groups.values()].map(({ clients }) => clients.map(({ id }) => id));
  }

  /** What was told since the last call. */
  takeChanges(): readonly [Change['kind'], string, Requester?][] {
    return this.changes.splice(0);
  }

  /** Ends everything; returns whether all memory came home. */
  async close(): Promise<boolean> {
    await this.#listener?.close();
    for (const client of this.#clients) client.close();
    await this.server.close();
    await this.streams.close();
    await this.#fanOut.close();
    for (let turns = 0; turns < 100 && !this.pool.isFull; turns += 1) await turn();
    return this.pool.isFull;
  }

  #onChange(change: Change, by?: Requester): void {
    const id = idOf(change);
    this.changes.push(by ? [change.kind, id, by] : [change.kind, id]);
    if (change.kind === 'stream-removed') this.server.streamRemoved();
    else if ('channel' in change) this.server.reroute();
  }
}

/** The codec of each header that a player was sent. */
export function codecsOf(client: ScriptedClient): string[] {
  return client.of(messageType.codecHeader).map(({ body }) => decodeCodecHeader(body).codec);
}

function idOf(change: Change): string {
  if ('client' in change) return change.client.id;
  if ('group' in change) return change.group.id;
  return 'channel' in change ? change.channel.id : '';
}
