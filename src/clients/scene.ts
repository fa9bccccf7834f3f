import { isObject, type JsonObject } from '../base/files/json-fields.ts';
import { cutText, isShowable } from '../base/foreign-text.ts';
import { SceneError } from './scene-error.ts';

const maxNameLength = 100;
/** Of ids, and of names of groups: none that a scene is made of is longer. */
const maxTextLength = 512;
/** Of all scenes together: what a server with that many clients needs for one. */
export const maxSceneClients = 10_000;
/** The same: 200 for each of so many clients. Of longer ones the state file would become too large to be read. */
export const maxSceneCharacters = 2_000_000;

interface SceneClient {
  readonly id: string;
  /** Percent; absent, as `isMuted`: it keeps what it has. */
  readonly volume?: number;
  readonly isMuted?: boolean;
}

interface SceneGroup {
  readonly id: string;
  /** For a group that has to be made anew. */
  readonly name: string;
  /** Absent, as `isMuted`: it keeps what it has. */
  readonly streamId?: string;
  readonly isMuted?: boolean;
  /** All of them, at least one. */
  readonly clients: readonly SceneClient[];
}

/** Who plays what with whom, and how loud. */
export interface Arrangement {
  readonly groups: readonly SceneGroup[];
}

/** An arrangement to come back to. */
export interface Scene extends Arrangement {
  readonly name: string;
}

export function clientsIn({ groups }: Arrangement): number {
  return groups.reduce((sum, { clients }) => sum + clients.length, 0);
}

/** In ids and names, which is nearly all that a scene takes. */
export function charactersIn({ groups }: Arrangement): number {
  return groups.reduce(
    (sum, { id, name, streamId = '', clients }) =>
      clients.reduce(
        (length, client) => length + client.id.length,
        sum + id.length + name.length + streamId.length,
      ),
    0,
  );
}

/** The name as it is kept, in the normal form C of Unicode. Failure: throws a `SceneError`. */
export function sceneName(text: string): string {
  const name = text.trim().normalize('NFC');
  const fault = faultOf(name);
  if (fault) throw new SceneError('bad-name', `this is no name for a scene: ${fault}`);
  return name;
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (name.length > maxNameLength) return `it is longer than ${maxNameLength} characters`;
  return isShowable(name) ? undefined : 'it has characters that cannot be shown';
}

/** What controllers are shown, and the state file keeps. */
export function jsonOfArrangement({ groups }: Arrangement): JsonObject {
  return {
    groups: groups.map(({ clients, ...group }) => ({
      ...jsonOfSceneGroup(group),
      clients: clients.map(jsonOfSceneClient),
    })),
  };
}

export function jsonOfSceneGroup(group: Omit<SceneGroup, 'clients'>): JsonObject {
  const { id, name, streamId, isMuted } = group;
  return {
    id,
    name,
    ...(streamId !== undefined && { stream_id: streamId }),
    ...(isMuted !== undefined && { muted: isMuted }),
  };
}

export function jsonOfSceneClient({ id, volume, isMuted }: SceneClient): JsonObject {
  return {
    id,
    volume: {
      ...(isMuted !== undefined && { muted: isMuted }),
      ...(volume !== undefined && { percent: volume }),
    },
  };
}

export function jsonOfScene(scene: Scene): JsonObject {
  return { name: scene.name, ...jsonOfArrangement(scene) };
}

/** Failure: throws a `SceneError` that says what is wrong with it, and where. */
export function readScene(json: unknown): Scene {
  return {
    name: sceneName(textOf(objectOf(json, 'scene').name, 'name')),
    ...readArrangement(json),
  };
}

/** Of one that was made by a controller or stood in a file. Failure: as of `readScene`. */
export function readArrangement(json: unknown): Arrangement {
  const clientIds = new Set<string>();
  const groupIds = new Set<string>();
  const groups = listOf(objectOf(json, 'scene').groups, 'groups').map((group, index) => {
    const place = `groups[${index}]`;
    const { id, name = '', stream_id, muted, clients } = objectOf(group, place);
    return {
      id: onlyOnce(textOf(id, `${place}.id`), groupIds, place),
      name: cutText(textOf(name, `${place}.name`, true), maxTextLength),
      ...(stream_id !== undefined && { streamId: textOf(stream_id, `${place}.stream_id`) }),
      ...(muted !== undefined && { isMuted: flagOf(muted, `${place}.muted`) }),
      clients: readClients(clients, `${place}.clients`, clientIds),
    };
  });
  return { groups };
}

function readClients(json: unknown, place: string, known: Set<string>): readonly SceneClient[] {
  const clients = listOf(json, place).map((client, index) => {
    const own = `${place}[${index}]`;
    const { id, volume = {} } = objectOf(client, own);
    const { percent, muted } = objectOf(volume, `${own}.volume`);
    return {
      id: onlyOnce(textOf(id, `${own}.id`), known, own),
      ...(percent !== undefined && { volume: percentOf(percent, `${own}.volume.percent`) }),
      ...(muted !== undefined && { isMuted: flagOf(muted, `${own}.volume.muted`) }),
    };
  });
  if (known.size > maxSceneClients) throw bad(place, `has more than ${maxSceneClients} clients`);
  return clients;
}

function objectOf(json: unknown, place: string): JsonObject {
  if (isObject(json)) return json;
  throw bad(place, 'is not an object');
}

function listOf(json: unknown, place: string): readonly unknown[] {
  if (!Array.isArray(json)) throw bad(place, 'is not a list');
  if (json.length === 0) throw bad(place, 'is empty');
  return json;
}

function textOf(json: unknown, place: string, mayBeEmpty = false): string {
  if (typeof json !== 'string') throw bad(place, 'is not a string');
  if (json === '' && !mayBeEmpty) throw bad(place, 'is empty');
  if (json.length <= maxTextLength || mayBeEmpty) return json;
  throw bad(place, `is longer than ${maxTextLength} characters`);
}

function flagOf(json: unknown, place: string): boolean {
  if (typeof json === 'boolean') return json;
  throw bad(place, 'is neither true nor false');
}

function percentOf(json: unknown, place: string): number {
  if (typeof json === 'number' && json >= 0 && json <= 100) return Math.round(json) + 0;
  throw bad(place, 'is not a number from 0 to 100');
}

function onlyOnce(id: string, known: Set<string>, place: string): string {
  if (known.has(id)) throw bad(place, 'is named twice');
  known.add(id);
  return id;
}

function bad(place: string, what: string): SceneError {
  return new SceneError('bad-scene', `${place} ${what}`);
}
