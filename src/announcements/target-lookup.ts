import { cutText } from '../base/foreign-text.ts';
import type { ClientRecord } from '../clients/client-record.ts';
import { playedStreamId, type Registry } from '../clients/registry.ts';
import type { StreamDirectory } from '../streams/stream-directory.ts';
import { AnnounceError } from './announce-error.ts';
import type { TargetNames } from './announcement-request.ts';

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
}

/**
 * Finds those that names and ids stand for; an id goes before a name.
 *
 * Failure: throws an `AnnounceError`: `unknown-target`, `ambiguous-target` with the candidates, or
 * `nobody-listens`.
 */
export function findTargets(names: TargetNames, within: Surroundings): AnnouncementTargets {
  const { registry, streams } = within;
  const clientIds = new Set<string>();
  const streamIds = new Set<string>();
  const client = finder('client', registry.clients, ({ name, hello }) => [name, hello.hostName]);
  const group = finder('group', registry.groups, ({ name }) => [name]);
  const stream = finder('stream', streams.channels, () => []);
  for (const name of names.clients) clientIds.add(client(name).id);
  for (const name of names.groups) for (const { id } of group(name).clients) clientIds.add(id);
  for (const name of names.streams) streamIds.add(stream(name).id);
  if (names.all) {
    for (const { group } of connectedOf(registry)) streamIds.add(playedStreamId(group));
  }
  const targets = { clientIds, streamIds };
  for (const client of connectedOf(registry)) if (isMeant(client, targets)) return targets;
  throw new AnnounceError('nobody-listens', 'none of the targets is connected');
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
function finder<Target extends { readonly id: string }>(
  kind: 'client' | 'group' | 'stream',
  all: ReadonlyMap<string, Target>,
  namesOf: (target: Target) => readonly string[],
): (wanted: string) => Target {
  let byName: Map<string, Target[]> | undefined;
  return (wanted) => {
    const known = all.get(wanted);
    if (known) return known;
    byName ??= listedByName(all.values(), namesOf);
    const [first, ...others] = byName.get(wanted) ?? [];
    if (first && others.length === 0) return first;
    const shown = `"${cutText(wanted, maxQuotedLength)}"`;
    if (!first) {
      throw new AnnounceError(
        'unknown-target',
        `there is no ${kind} ${shown}: give its id or name`,
      );
    }
    const ids = [first, ...others].map(({ id }) => id).slice(0, maxCandidates);
    throw new AnnounceError(
      'ambiguous-target',
      `${others.length + 1} ${kind}s are called ${shown}, give an id: ${ids.join(', ')}`,
    );
  };
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
