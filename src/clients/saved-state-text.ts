import { isObject, type JsonObject } from '../base/files/json-fields.ts';
import type { ClientState, GroupState } from './client-record.ts';
import { jsonOfSceneClient, jsonOfSceneGroup, type Scene } from './scene.ts';

/**
 * So much is built before other work gets its turn: a millisecond on a busy core, where the text
 * of 10 000 clients (4.9 MB) takes 170 ms in all.
 */
const pieceLength = 32 * 1024;

interface ClientToSave extends ClientState {
  readonly isConnected?: boolean;
  /** Left out, and its group with it when no other client is in it. */
  readonly isVisitor?: boolean | undefined;
}

interface GroupToSave extends GroupState {
  readonly clients: readonly ClientToSave[];
}

/**
 * The text of `server.json`, piece by piece, as one line with sorted keys; `unknown` are the fields
 * beside the groups.
 *
 * Ownership: the members of groups are noted at once. Everything else of a client is looked up when
 * its piece is asked for, so it may be newer; whatever changes until then asks for another save.
 * Source: protocol reference, 8.3.
 */
export function savedStateText(
  groups: Iterable<GroupToSave>,
  unknown: JsonObject,
  scenes: readonly Scene[] = [],
): Iterable<string> {
  const members = Array.from(groups, (group) => ({
    group,
    clients: group.clients.filter(({ isVisitor }) => !isVisitor),
  })).filter(({ clients }) => clients.length > 0);
  // Without scenes the file is what existing servers write.
  const own = { ConfigVersion: 2, Groups: members, ...(scenes.length > 0 && { Scenes: scenes }) };
  const lists = { Groups: groupTexts(members), Scenes: sceneTexts(scenes) };
  return pieces(objectText(withUnknown(own, unknown), lists));
}

function* sceneTexts(scenes: readonly Scene[]): Generator<Iterable<string>> {
  for (const { name, groups } of scenes) {
    yield objectText({ groups, name }, { groups: sceneGroupTexts(groups) });
  }
}

function* sceneGroupTexts(groups: Scene['groups']): Generator<Iterable<string>> {
  for (const { clients, ...group } of groups) {
    const fields = { clients, ...jsonOfSceneGroup(group) };
    yield objectText(fields, { clients: sceneClientTexts(clients) });
  }
}

function* sceneClientTexts(clients: Scene['groups'][number]['clients']): Generator<[string]> {
  for (const client of clients) yield [JSON.stringify(jsonOfSceneClient(client))];
}

function* groupTexts(
  members: readonly { readonly group: GroupState; readonly clients: readonly ClientToSave[] }[],
): Generator<Iterable<string>> {
  for (const { group, clients } of members) {
    const fields = {
      clients,
      id: group.id,
      muted: group.isMuted,
      name: group.name.trim(),
      stream_id: (group.underId ?? group.streamId).trim(),
    };
    yield objectText(withUnknown(fields, group.unknown), { clients: clientTexts(clients) });
  }
}

function* clientTexts(clients: readonly ClientToSave[]): Generator<[string]> {
  for (const client of clients) {
    yield [JSON.stringify(withUnknown(clientFields(client), client.unknown))];
  }
}

function clientFields(client: ClientToSave): JsonObject {
  const { hello } = client;
  const lastSeenUs = Math.round(client.lastSeenMs * 1000);
  return {
    config: {
      instance: hello.instance,
      latency: client.latencyMs,
      name: client.name.trim(),
      volume: { muted: client.isMuted, percent: client.volume },
    },
    connected: client.isConnected === true,
    host: {
      arch: hello.arch.trim(),
      ip: client.address.trim(),
      mac: hello.mac.trim(),
      name: hello.hostName.trim(),
      os: hello.os.trim(),
    },
    id: client.id,
    lastSeen: { sec: Math.floor(lastSeenUs / 1_000_000), usec: lastSeenUs % 1_000_000 },
    snapclient: {
      name: hello.clientName.trim(),
      protocolVersion: hello.protocolVersion,
      version: hello.version.trim(),
    },
  };
}

/** Adds what another version left, at every level; what this version knows wins. */
function withUnknown(known: JsonObject, unknown: JsonObject): JsonObject {
  const extra = Object.entries(unknown);
  if (extra.length === 0) return known;
  const all = new Map(Object.entries(known));
  for (const [key, value] of extra) {
    const own = all.get(key);
    if (!all.has(key)) all.set(key, value);
    else if (isObject(own) && isObject(value)) all.set(key, withUnknown(own, value));
  }
  return Object.fromEntries([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `lists` are too long to be built at once: they are the texts of each element. */
function* objectText(
  fields: JsonObject,
  lists: Readonly<Record<string, Iterable<Iterable<string>>>>,
): Generator<string> {
  let separator = '{';
  for (const [key, value] of Object.entries(fields)) {
    yield `${separator}${JSON.stringify(key)}:`;
    const elements = Object.hasOwn(lists, key) ? lists[key] : undefined;
    if (elements) yield* listText(elements);
    else yield JSON.stringify(value);
    separator = ',';
  }
  yield '}';
}

function* listText(elements: Iterable<Iterable<string>>): Generator<string> {
  let separator = '';
  yield '[';
  for (const texts of elements) {
    yield separator;
    yield* texts;
    separator = ',';
  }
  yield ']';
}

function* pieces(texts: Iterable<string>): Generator<string> {
  let piece = '';
  for (const text of texts) {
    piece += text;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}
