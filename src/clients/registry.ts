import { randomUUID } from 'node:crypto';
import type { ClientInfo, Hello, ServerSettings } from '../protocol/messages.ts';
import { AbsentClients } from './absent-clients.ts';
import type { ClientRecord, GroupRecord, GroupState } from './client-record.ts';

export interface RegistryOptions {
  readonly bufferMs: number;
  /** Of what holds now: beyond `maxClients` the longest absent are forgotten. */
  readonly settings: () => { readonly initialVolume: number; readonly maxClients: number };
  /** Wall-clock time, Unix milliseconds: for display only. */
  readonly nowMs: () => number;
}

interface GroupMove {
  readonly client: ClientRecord;
  /** May have ceased to exist. */
  readonly from: GroupRecord;
}

/** Before this program was written: the clock of the machine was never set. */
const earliestPlausibleMs = Date.UTC(2025, 0);

/** All clients and groups, in memory. */
export class Registry {
  /** End-to-end delay. */
  bufferMs: number;
  readonly #options: RegistryOptions;
  readonly #clients = new Map<string, ClientRecord>();
  readonly #groups = new Map<string, GroupRecord>();
  readonly #absent = new AbsentClients();
  #look: (client: ClientRecord) => void = () => {};
  #latestSeenMs = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.bufferMs = options.bufferMs;
  }

  /** By id. */
  get clients(): ReadonlyMap<string, ClientRecord> {
    return this.#clients;
  }

  /** By id; each has at least one client. */
  get groups(): ReadonlyMap<string, GroupRecord> {
    return this.#groups;
  }

  /**
   * Takes over what was saved; to be called before a client joins.
   *
   * Of several clients with one id the first stays, and a group whose id is taken gets another one.
   */
  restore(groups: readonly GroupState[]): void {
    for (const state of groups) this.#restoreGroup(state);
    const byAbsence = [...this.#clients.values()].sort((a, b) => a.lastSeenMs - b.lastSeenMs);
    const nowMs = this.#options.nowMs();
    for (const client of byAbsence) {
      // The clock was wrong then, or is not set yet.
      if (nowMs >= earliestPlausibleMs) client.lastSeenMs = Math.min(client.lastSeenMs, nowMs);
      this.#latestSeenMs = client.lastSeenMs;
      this.#absent.add(client);
    }
    this.#forgetSurplus();
    this.#makeRoom(this.#options.settings().maxClients);
  }

  /** Takes note of a connected client; one never seen before gets a group of its own. */
  join(
    id: string,
    { hello, address }: { hello: Hello; address: string },
  ): {
    readonly client: ClientRecord;
    /** Never seen before: in a group of its own, which has no stream yet. */
    readonly isNew: boolean;
    /** Who had to make room. */
    readonly forgotten: readonly ClientRecord[];
  } {
    const { auth: _secret, isVisitor = false, ...known } = hello;
    const old = this.#clients.get(id);
    const forgotten = old ? [] : this.#makeRoom(this.#options.settings().maxClients - 1);
    const client = old ?? this.#add(id, { hello: known, address });
    client.hello = known;
    client.address = address;
    // A client that is known, or comes also without that wish, stays.
    client.isVisitor = isVisitor && (!old || old.isVisitor === true);
    client.isConnected = true;
    client.lastSeenMs = this.#stampMs();
    this.#absent.delete(client);
    return { client, isNew: !old, forgotten };
  }

  /** Takes note that a client has gone away, and returns whom the registry has forgotten for that. */
  leave(client: ClientRecord): readonly ClientRecord[] {
    if (client.isVisitor) {
      this.remove(client);
      return [client];
    }
    client.isConnected = false;
    client.lastSeenMs = this.#stampMs();
    this.#absent.add(client);
    return this.#forgetSurplus();
  }

  /** Takes note of a sign of life, which came `agoMs` ago. */
  seen(client: ClientRecord, agoMs = 0): void {
    client.lastSeenMs = this.#stampMs(agoMs);
  }

  /** For signs of life that are noted elsewhere: `look` reports the last one of a client to `seen`. */
  lookBy(look: (client: ClientRecord) => void): void {
    this.#look = look;
  }

  /** Stores what a client's own mixer says. */
  report(client: ClientRecord, info: ClientInfo): void {
    client.volume = info.volume;
    client.isMuted = info.muted;
  }

  settingsOf(client: ClientRecord): ServerSettings {
    return {
      bufferMs: this.bufferMs,
      latencyMs: client.latencyMs,
      muted: isMuted(client),
      volume: client.volume,
    };
  }

  /**
   * Makes the clients of these ids the members of `group`, and returns those that changed theirs.
   *
   * A client that leaves gets its own group with the same stream, one that joins comes last, and a
   * group without members ceases to exist. Unknown ids are ignored. Source: protocol reference, 8.2.
   */
  setClients(group: GroupRecord, ids: readonly string[]): readonly GroupMove[] {
    const listed = new Set<ClientRecord>();
    for (const id of ids) {
      const client = this.#clients.get(id);
      if (client) listed.add(client);
    }
    const leavers = group.clients.filter((client) => !listed.has(client));
    return this.#move(leavers, new Map([...listed].map((client) => [client, group])));
  }

  /**
   * Makes each of these groups out of exactly these clients, which are at least one and no other's; one
   * that is not there is made, with what its first client plays. Visitors stay where they are.
   *
   * Returns the groups in their order, and the clients that changed theirs.
   */
  arrange(
    arrangement: readonly {
      readonly id: string;
      readonly name: string;
      readonly clients: readonly ClientRecord[];
    }[],
  ): { readonly groups: readonly GroupRecord[]; readonly moves: readonly GroupMove[] } {
    const wanted = new Map<ClientRecord, GroupRecord>();
    const groups = arrangement.map(({ id, name, clients }) => {
      const streams = clients[0] && streamsOf(clients[0].group);
      const group = this.#groups.get(id) ?? this.#addGroup({ ...streams, id, name });
      for (const client of clients) wanted.set(client, group);
      return group;
    });
    const leavers = groups.flatMap(({ clients }) =>
      clients.filter((client) => !wanted.has(client) && !client.isVisitor),
    );
    return { groups, moves: this.#move(leavers, wanted) };
  }

  /** Leavers get groups of their own. */
  #move(
    leavers: readonly ClientRecord[],
    wanted: ReadonlyMap<ClientRecord, GroupRecord>,
  ): readonly GroupMove[] {
    const joiners = [...wanted].filter(([client, group]) => client.group !== group);
    const moves = [...leavers, ...joiners.map(([client]) => client)].map((client) => ({
      client,
      from: client.group,
    }));
    for (const client of leavers) enter(client, this.#addGroup(streamsOf(client.group)));
    for (const [client, group] of joiners) enter(client, group);
    for (const left of new Set(moves.map(({ from }) => from))) this.#dropStrangers(left);
    return moves;
  }

  /** Forgets a client, and its group when no other client is in it. */
  remove(client: ClientRecord): void {
    const { id, group } = client;
    client.isConnected = false;
    this.#absent.delete(client);
    this.#clients.delete(id);
    group.clients.splice(group.clients.indexOf(client), 1);
    this.#dropIfEmpty(group);
  }

  /**
   * Now, as a stamp. After a restart they tell the longest absence; so on a machine that begins
   * in 1970 at each start, stamps go on behind the latest one until the clock is set.
   */
  #stampMs(agoMs = 0): number {
    const nowMs = this.#options.nowMs() - agoMs;
    const isBehind = nowMs < earliestPlausibleMs && nowMs < this.#latestSeenMs;
    this.#latestSeenMs = isBehind ? this.#latestSeenMs + 1 : nowMs;
    return this.#latestSeenMs;
  }

  #restoreGroup({ clients, ...state }: GroupState): void {
    const strangers = clients.filter(({ id }) => !this.#clients.has(id));
    if (strangers.length === 0) return;
    const isUsable = state.id !== '' && !this.#groups.has(state.id);
    const group = this.#addGroup(isUsable ? state : { ...state, id: randomUUID() });
    for (const client of strangers) {
      if (this.#clients.has(client.id)) continue;
      this.#addClient({ ...client, group, isConnected: false });
    }
  }

  #add(id: string, { hello, address }: { hello: Hello; address: string }): ClientRecord {
    return this.#addClient({
      id,
      group: this.#addGroup({ streamId: '' }),
      hello,
      address,
      isConnected: true,
      lastSeenMs: 0,
      name: '',
      latencyMs: 0,
      volume: this.#options.settings().initialVolume,
      isMuted: false,
      unknown: {},
    });
  }

  #addClient(state: ClientRecord): ClientRecord {
    let { lastSeenMs } = state;
    const look = () => this.#look(client);
    const client: ClientRecord = {
      ...state,
      get lastSeenMs() {
        if (this.isConnected) look();
        return lastSeenMs;
      },
      set lastSeenMs(ms) {
        lastSeenMs = ms;
      },
    };
    client.group.clients.push(client);
    this.#clients.set(client.id, client);
    return client;
  }

  #addGroup(state: Partial<Omit<GroupRecord, 'clients'>>): GroupRecord {
    const group: GroupRecord = {
      id: randomUUID(),
      name: '',
      streamId: '',
      fallbackId: undefined,
      isMuted: false,
      unknown: {},
      ...state,
      clients: [],
    };
    this.#groups.set(group.id, group);
    return group;
  }

  /**
   * Forgets absent clients while there are more than `wanted` in all: first those that no
   * controller has arranged anything for, as any peer can say Hello under thousands of ids.
   */
  #makeRoom(wanted: number): readonly ClientRecord[] {
    const forgotten: ClientRecord[] = [];
    for (const client of this.#absent.leastWanted()) {
      if (this.#clients.size <= wanted) break;
      this.remove(client);
      forgotten.push(client);
    }
    return forgotten;
  }

  /** Forgets the strangers that are too many. */
  #forgetSurplus(): readonly ClientRecord[] {
    const surplus = this.#absent.takeSurplus();
    for (const client of surplus) this.remove(client);
    return surplus;
  }

  /** One pass for all clients that have moved away. */
  #dropStrangers(group: GroupRecord): void {
    const members = group.clients.filter((client) => client.group === group);
    group.clients.length = 0;
    for (const member of members) group.clients.push(member);
    this.#dropIfEmpty(group);
  }

  #dropIfEmpty(group: GroupRecord): void {
    if (group.clients.length === 0) this.#groups.delete(group.id);
  }
}

/** Whether a client is to be silent, by its own mute or by that of its group. */
export function isMuted({ isMuted, group }: ClientRecord): boolean {
  return isMuted || group.isMuted;
}

/** The id of the stream that a group plays, as controllers are told; empty while it has none. */
export function playedStreamId({ streamId, fallbackId }: GroupRecord): string {
  return fallbackId ?? streamId;
}

function streamsOf({ streamId, fallbackId, underId }: GroupRecord) {
  return { streamId, fallbackId, underId };
}

/** The group that a client has left lists it until it is told otherwise. */
function enter(client: ClientRecord, group: GroupRecord): void {
  const movable: { group: GroupRecord } = client;
  movable.group = group;
  group.clients.push(client);
}
