import { randomUUID } from 'node:crypto';
import type { ClientInfo, Hello, ServerSettings } from '../protocol/messages.ts';

/** A client as the server knows it, also while it is away. Source: protocol reference, 8.1. */
export interface ClientRecord {
  readonly id: string;
  readonly group: GroupRecord;
  hello: Hello;
  address: string;
  isConnected: boolean;
  /** Unix time of the last sign of life, milliseconds. */
  lastSeenMs: number;
  name: string;
  latencyMs: number;
  volume: number;
  isMuted: boolean;
  /** Fields of the state file that this version does not know, written back as they were. */
  readonly unknown: Readonly<Record<string, unknown>>;
}

/** Clients that play the same stream. */
export interface GroupRecord {
  readonly id: string;
  name: string;
  /** Empty until a stream was found for it. */
  streamId: string;
  isMuted: boolean;
  readonly clients: ClientRecord[];
  readonly unknown: Readonly<Record<string, unknown>>;
}

/** What of a client outlives the process. */
export type ClientState = Pick<
  ClientRecord,
  | 'id'
  | 'hello'
  | 'address'
  | 'lastSeenMs'
  | 'name'
  | 'latencyMs'
  | 'volume'
  | 'isMuted'
  | 'unknown'
>;

/** What of a group outlives the process. */
export interface GroupState
  extends Pick<GroupRecord, 'id' | 'name' | 'streamId' | 'isMuted' | 'unknown'> {
  readonly clients: readonly ClientState[];
}

export interface RegistryOptions {
  readonly bufferMs: number;
  readonly initialVolume: number;
  /** Clients that never came back are forgotten beyond this number, the longest absent first. */
  readonly maxClients: number;
  /** Wall-clock time, Unix milliseconds: for display only. */
  readonly nowMs: () => number;
}

/** All clients and groups, in memory. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #clients = new Map<string, ClientRecord>();
  readonly #groups = new Map<string, GroupRecord>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  get groups(): Iterable<GroupRecord> {
    return this.#groups.values();
  }

  /** Takes over what was saved; to be called before anybody joins. */
  restore(_groups: readonly GroupState[]): void {}

  /** Takes note of a connected client; one never seen before gets a group of its own. */
  join(id: string, { hello, address }: { hello: Hello; address: string }): ClientRecord {
    const client = this.#clients.get(id) ?? this.#add(id, { hello, address });
    client.hello = hello;
    client.address = address;
    client.isConnected = true;
    client.lastSeenMs = this.#options.nowMs();
    return client;
  }

  leave(client: ClientRecord): void {
    client.isConnected = false;
    client.lastSeenMs = this.#options.nowMs();
  }

  seen(client: ClientRecord): void {
    client.lastSeenMs = this.#options.nowMs();
  }

  /** Stores what a client's own mixer says. */
  report(client: ClientRecord, info: ClientInfo): void {
    client.volume = info.volume;
    client.isMuted = info.muted;
  }

  settingsOf(client: ClientRecord): ServerSettings {
    return {
      bufferMs: this.#options.bufferMs,
      latencyMs: client.latencyMs,
      muted: client.isMuted || client.group.isMuted,
      volume: client.volume,
    };
  }

  #add(id: string, { hello, address }: { hello: Hello; address: string }): ClientRecord {
    if (this.#clients.size >= this.#options.maxClients) this.#forgetLongestAbsent();
    const group: GroupRecord = {
      id: randomUUID(),
      name: '',
      streamId: '',
      isMuted: false,
      clients: [],
      unknown: {},
    };
    const client: ClientRecord = {
      id,
      group,
      hello,
      address,
      isConnected: true,
      lastSeenMs: 0,
      name: '',
      latencyMs: 0,
      volume: this.#options.initialVolume,
      isMuted: false,
      unknown: {},
    };
    group.clients.push(client);
    this.#groups.set(group.id, group);
    this.#clients.set(id, client);
    return client;
  }

  #forgetLongestAbsent(): void {
    let oldest: ClientRecord | undefined;
    for (const client of this.#clients.values()) {
      const isOlder = !oldest || client.lastSeenMs < oldest.lastSeenMs;
      if (!client.isConnected && isOlder) oldest = client;
    }
    if (!oldest) return;
    const { group } = oldest;
    group.clients.splice(group.clients.indexOf(oldest), 1);
    if (group.clients.length === 0) this.#groups.delete(group.id);
    this.#clients.delete(oldest.id);
  }
}
