import { RpcError } from '../base/errors.ts';
import { cutText } from '../base/foreign-text.ts';
import type { ClientRecord, GroupRecord } from '../clients/client-record.ts';
import { isMuted, playedStreamId, type Registry } from '../clients/registry.ts';
import type { Arrangement } from '../clients/scene.ts';
import type { Change, ChangeListener, Requester } from '../streams/change.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import type { PlayerServer } from './player-server.ts';

/** Longer names of clients and groups are cut: every controller gets them all. */
export const maxNameLength = 512;
const minLatencyMs = -10_000;

interface GroupControlOptions {
  readonly registry: Registry;
  readonly server: PlayerServer;
  readonly streams: Pick<StreamDirectory, 'channels'>;
  readonly bufferMs: number;
  /** Whether a stream is to be mixed over what a group plays that is given it. */
  readonly isMixedOver?: (streamId: string) => boolean;
  readonly onChange: ChangeListener;
}

/** What controllers do with clients and groups. Source: protocol reference, 5.2 to 5.4 and 8.2. */
export class GroupControl {
  readonly #options: GroupControlOptions;

  constructor(options: GroupControlOptions) {
    this.#options = options;
  }

  /** Percent is clamped to 0..100 and rounded; what is absent keeps its value. */
  setVolume(
    client: ClientRecord,
    volume: { readonly percent?: number; readonly muted?: boolean },
    by?: Requester,
  ): void {
    const { server, onChange } = this.#options;
    const { percent = client.volume, muted = client.isMuted } = volume;
    client.volume = within(percent, 0, 100);
    client.isMuted = muted;
    server.sendSettings(client);
    server.route([client]);
    onChange({ kind: 'client-volume', client }, by);
  }

  /** Clamped to −10 000 .. buffer, milliseconds. */
  setLatency(client: ClientRecord, latencyMs: number, by?: Requester): void {
    const { server, bufferMs, onChange } = this.#options;
    client.latencyMs = within(latencyMs, minLatencyMs, bufferMs);
    server.sendSettings(client);
    onChange({ kind: 'client-latency', client }, by);
  }

  setClientName(client: ClientRecord, name: string, by?: Requester): void {
    const { server, onChange } = this.#options;
    client.name = cutText(name, maxNameLength);
    // Existing servers send the unchanged settings, too.
    server.sendSettings(client);
    onChange({ kind: 'client-name', client }, by);
  }

  setGroupName(group: GroupRecord, name: string, by?: Requester): void {
    group.name = cutText(name, maxNameLength);
    this.#options.onChange({ kind: 'group-name', group }, by);
  }

  setMute(group: GroupRecord, isGroupMuted: boolean, by?: Requester): void {
    const { server, onChange } = this.#options;
    group.isMuted = isGroupMuted;
    for (const client of group.clients) server.sendSettings(client);
    server.route(group.clients);
    onChange({ kind: 'group-mute', group }, by);
  }

  /** Failure: throws an `RpcError` "Stream not found" for unknown streams and those without codec. */
  setStream(group: GroupRecord, streamId: string, by?: Requester): void {
    const { server, onChange } = this.#options;
    if (!this.#isThere(streamId)) {
      throw new RpcError(-32603, 'Internal error', 'Stream not found');
    }
    const isMixed = this.#options.isMixedOver?.(streamId) ?? false;
    const under = group.underId ?? playedStreamId(group);
    group.underId = isMixed && under !== streamId ? under : undefined;
    group.streamId = streamId;
    group.fallbackId = undefined;
    onChange({ kind: 'group-stream', group }, by);
    // Afterwards, as a stream that is disabled makes the server choose another one, and say so.
    server.routeGroup(group);
  }

  /** Makes `clientIds` the members of the group; unknown ids are ignored. */
  setClients(group: GroupRecord, clientIds: readonly string[], by?: Requester): void {
    const { registry, server, onChange } = this.#options;
    const moves = registry.setClients(group, clientIds);
    for (const { client, from } of moves) {
      const wasMuted = client.isMuted || from.isMuted;
      if (isMuted(client) !== wasMuted) server.sendSettings(client);
    }
    onChange({ kind: 'groups' }, by);
    server.route(moves.map(({ client }) => client));
  }

  /** How all is now, but for visitors: what can be told by a scene. */
  get arrangement(): Arrangement {
    const groups = [...this.#options.registry.groups.values()].flatMap((group) => {
      const { id, name, isMuted, underId, streamId = '' } = group;
      const clients = group.clients.filter(({ isVisitor }) => !isVisitor);
      if (clients.length === 0) return [];
      const streams = { streamId: underId ?? streamId };
      const members = clients.map(({ id, volume, isMuted }) => ({ id, volume, isMuted }));
      return [{ id, name, isMuted, ...(streams.streamId && streams), clients: members }];
    });
    return { groups };
  }

  /**
   * Puts groups, streams, volumes and mutes as a scene says, in one change. What it does not name stays
   * as it is, but that clients of its groups which are not in it get groups of their own.
   *
   * Returns the ids of what it names and is not there.
   */
  arrange(
    { groups: wanted }: Arrangement,
    by?: Requester,
  ): { readonly clients: readonly string[]; readonly streams: readonly string[] } {
    const { registry, server, onChange } = this.#options;
    const before = new Map(
      [...registry.clients.values()].map((client) => [client, levelOf(client)]),
    );
    const known = wanted.flatMap((group) => {
      const members = group.clients.filter(({ id }) => registry.clients.has(id));
      const clients = members.map(({ id }) => registry.clients.get(id)!);
      return clients.length > 0 ? [{ ...group, clients, members }] : [];
    });
    const { groups, moves } = registry.arrange(known);
    const streams = new Set<string>();
    for (const [index, { streamId, isMuted, clients, members }] of known.entries()) {
      const group = groups[index]!;
      group.isMuted = isMuted ?? group.isMuted;
      if (streamId !== undefined && !this.#give(group, streamId)) streams.add(streamId);
      for (const [place, { volume, isMuted }] of members.entries()) {
        const client = clients[place]!;
        client.volume = volume ?? client.volume;
        client.isMuted = isMuted ?? client.isMuted;
      }
    }
    const changed = [...before].filter(([client, level]) => !isSame(levelOf(client), level));
    for (const [client] of changed) server.sendSettings(client);
    const details: readonly Change[] = [
      ...groups.map((group) => ({ kind: 'group-stream', group }) as const),
      ...changed.map(([client]) => ({ kind: 'client-volume', client }) as const),
    ];
    onChange({ kind: 'groups', details }, by);
    for (const group of groups) server.routeGroup(group);
    server.route(moves.map(({ client }) => client));
    const named = wanted.flatMap(({ clients }) => clients.map(({ id }) => id));
    return { clients: named.filter((id) => !registry.clients.has(id)), streams: [...streams] };
  }

  /** Forgets the client; a session of it is closed and would come back as a new client. */
  deleteClient(client: ClientRecord, by?: Requester): void {
    const { registry, server, onChange } = this.#options;
    registry.remove(client);
    server.disconnect(client);
    onChange({ kind: 'client-removed', client }, by);
  }

  /** What is mixed over the music of the group goes on. Returns whether there is such a stream. */
  #give(group: GroupRecord, streamId: string): boolean {
    if (!this.#isThere(streamId)) return false;
    if (group.underId !== undefined) group.underId = streamId;
    else if (group.streamId !== streamId) {
      group.streamId = streamId;
      group.fallbackId = undefined;
    }
    return true;
  }

  #isThere(streamId: string): boolean {
    const channel = this.#options.streams.channels.get(streamId);
    return channel !== undefined && channel.stream.codec !== 'null';
  }
}

/** What of a client a scene may change: what it is told, and what controllers are. */
function levelOf(client: ClientRecord) {
  const { volume } = client;
  return { volume, isMuted: client.isMuted, isSilent: isMuted(client) };
}

function isSame(a: ReturnType<typeof levelOf>, b: ReturnType<typeof levelOf>): boolean {
  return a.volume === b.volume && a.isMuted === b.isMuted && a.isSilent === b.isSilent;
}

function within(value: number, min: number, max: number): number {
  return Math.round(Math.max(min, Math.min(max, value)));
}
