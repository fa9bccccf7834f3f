import { cutText } from '../base/foreign-text.ts';
import type { ClientRecord } from '../clients/client-record.ts';
import { playedStreamId, type Registry } from '../clients/registry.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import { AnnounceError } from './announce-error.ts';
import type { TargetNameKind, TargetNames } from './announcement-request.ts';

const maxCandidates = 10;
const maxQuotedLength = 100;

/** Whom an announcement is for. */
export interface AnnouncementTargets {
  /** Those that were meant, connected or not. */
  readonly clientIds: ReadonlySet<string>;
  /** Streams all of whose listeners are meant. */
  readonly streamIds: ReadonlySet<string>;
}

interface Surroundings {
  readonly registry: Registry;
  readonly streams: Pick<StreamDirectory, 'channels'>;
  /** What was known by this name, and is no more, is left out. */
  readonly isGone?: (kind: TargetNameKind, name: string) => boolean;
}

/**
 * Finds those that names and ids stand for; an id goes before a name.
 *
 * Failure: throws an `AnnounceError`: `unknown-target`, or `ambiguous-target` with the candidates.
 */
export function findTargets(names: TargetNames, within: Surroundings): AnnouncementTargets {
  const { registry, streams, isGone = () => false } = within;
  const find = <Target extends { readonly id: string }>(
    kind: TargetNameKind,
    all: ReadonlyMap<string, Target>,
    namesOf: (target: Target) => readonly string[],
  ) => {
    const finder = finderOf(kind, all, namesOf);
    return names[kind].flatMap((name) => finder(name, isGone(kind, name)) ?? []);
  };
  const clients = find('clients', registry.clients, ({ name, hello }) => [name, hello.hostName]);
  const groups = find('groups', registry.groups, ({ name }) => [name]);
  const clientIds = new Set([...clients, ...groups.flatMap(({ clients }) => clients)].map(idOf));
  const streamIds = new Set(find('streams', streams.channels, () => []).map(idOf));
  if (names.all) {
    for (const { group } of connectedOf(registry)) streamIds.add(playedStreamId(group));
  }
  return { clientIds, streamIds };
}

/** Failure: throws an `AnnounceError` when none of the targets is connected. */
export function assertHeard(targets: AnnouncementTargets, registry: Registry): void {
  for (const client of connectedOf(registry)) if (isMeant(client, targets)) return;
  throw new AnnounceError('nobody-listens', 'none of the targets is connected');
}

/** What these targets would hear: what is for them, and for all of the stream that they play. */
export function heardBy(targets: AnnouncementTargets, registry: Registry): ReadonlySet<string> {
  const heard = new Set(occupiedBy(targets, registry));
  for (const id of targets.clientIds) {
    const client = registry.clients.get(id);
    if (client) heard.add(`stream ${playedStreamId(client.group)}`);
  }
  return heard;
}

/** What an announcement occupies, see `QueuedAnnouncement`. */
export function occupiedBy(targets: AnnouncementTargets, registry: Registry): ReadonlySet<string> {
  const occupied = new Set<string>();
  for (const id of targets.streamIds) occupied.add(`stream ${id}`);
  for (const client of registry.clients.values()) {
    if (isMeant(client, targets)) occupied.add(`client ${client.id}`);
  }
  return occupied;
}

function isMeant({ id, group }: ClientRecord, targets: AnnouncementTargets): boolean {
  return targets.clientIds.has(id) || targets.streamIds.has(playedStreamId(group));
}

function connectedOf({ clients }: Registry): readonly ClientRecord[] {
  return [...clients.values()].filter(({ isConnected }) => isConnected);
}

/** Looks up many names of one kind: they are listed once, when the first one is no id. */
function finderOf<Target extends { readonly id: string }>(
  kind: TargetNameKind,
  all: ReadonlyMap<string, Target>,
  namesOf: (target: Target) => readonly string[],
): (wanted: string, mayBeGone: boolean) => Target | undefined {
  let byName: Map<string, Target[]> | undefined;
  return (wanted, mayBeGone) => {
    const known = all.get(wanted);
    if (known) return known;
    byName ??= listedByName(all.values(), namesOf);
    const [first, ...others] = byName.get(wanted) ?? [];
    if (others.length === 0 && (first || mayBeGone)) return first;
    const shown = `"${cutText(wanted, maxQuotedLength)}"`;
    if (!first) {
      throw new AnnounceError(
        'unknown-target',
        `there is no ${kind.slice(0, -1)} ${shown}: give its id or name`,
      );
    }
    const ids = [first, ...others].map(({ id }) => id).slice(0, maxCandidates);
    throw new AnnounceError(
      'ambiguous-target',
      `${others.length + 1} ${kind} are called ${shown}, give an id: ${ids.join(', ')}`,
    );
  };
}

function idOf({ id }: { readonly id: string }): string {
  return id;
}

function listedByName<Target>(
  all: Iterable<Target>,
  namesOf: (target: Target) => readonly string[],
): Map<string, Target[]> {
  const byName = new Map<string, Target[]>();
  for (const target of all) {
    for (const name of new Set(namesOf(target))) {
      if (name !== '') byName.set(name, [...(byName.get(name) ?? []), target]);
    }
  }
  return byName;
}
