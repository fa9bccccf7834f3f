import { randomUUID } from 'node:crypto';
import { messageOf } from '../base/errors.ts';
import { FieldFaults, isObject, JsonFields, type JsonObject } from '../base/files/json-fields.ts';
import { DamagedFileError } from '../base/files/json-file.ts';
import type { ClientState, GroupState } from './client-record.ts';
import { readScene, type Scene } from './scene.ts';

const maxInt32 = 2 ** 31 - 1;
const latencyRange = { min: -maxInt32, max: maxInt32, fallback: 0 };
const instanceRange = { min: 0, max: maxInt32, fallback: 1 };
const volumeRange = { min: 0, max: 100, fallback: 100 };
/** Microseconds since 1970 stay whole numbers in a double until then. */
const secondsRange = { min: 0, max: 9_000_000_000, fallback: 0 };
const microsecondsRange = { min: 0, max: 999_999, fallback: 0 };
const protocolRange = { min: 0, max: maxInt32, fallback: 1 };

/** What `server.json` says. Source: protocol reference, 8.3. */
export interface SavedState {
  readonly groups: readonly GroupState[];
  /** Our own. */
  readonly scenes: readonly Scene[];
  /** Fields beside the groups that this version does not know, to be written back. */
  readonly unknown: JsonObject;
  /** What was replaced by its default or left out. */
  readonly faults: FieldFaults;
}

/** Reads any version of a state file leniently. Failure: a `DamagedFileError` when it is none. */
export function parseSavedState(json: unknown): SavedState {
  if (!isObject(json)) throw new DamagedFileError('it is not a JSON object');
  if (!Object.hasOwn(json, 'ConfigVersion')) throw new DamagedFileError('it has no ConfigVersion');
  if (!Array.isArray(json.Groups ?? [])) throw new DamagedFileError('its Groups are not a list');
  const faults = new FieldFaults();
  const { ConfigVersion: _, Scenes: scenes, ...rest } = json;
  const fields = new JsonFields(rest, '', faults);
  const reader = new StateReader();
  const groups = fields.objects('Groups').flatMap((group) => reader.group(group) ?? []);
  return { groups, scenes: scenesOf(scenes, faults), unknown: fields.rest(), faults };
}

/** One with a fault would not bring back what was meant, and is left out. */
function scenesOf(json: unknown, faults: FieldFaults): readonly Scene[] {
  const list: readonly unknown[] = Array.isArray(json) ? json : [];
  if (json !== undefined && json !== null && list !== json) faults.add('Scenes is not a list');
  return list.flatMap((scene, index) => {
    try {
      return readScene(scene);
    } catch (error) {
      faults.add(`Scenes[${index}] is left out: ${messageOf(error)}`);
      return [];
    }
  });
}

/** Keeps what must be there only once. */
class StateReader {
  readonly #groupIds = new Set<string>();
  readonly #clientIds = new Set<string>();

  /** A group without clients does not exist. */
  group(fields: JsonFields): GroupState | undefined {
    const clients = fields.objects('clients').flatMap((client) => this.#client(client) ?? []);
    if (clients.length === 0) return undefined;
    return {
      id: this.#groupId(fields),
      name: fields.text('name'),
      streamId: fields.text('stream_id'),
      isMuted: fields.flag('muted'),
      clients,
      unknown: fields.rest(),
    };
  }

  #groupId(fields: JsonFields): string {
    const id = fields.text('id') || randomUUID();
    if (!this.#groupIds.has(id)) {
      this.#groupIds.add(id);
      return id;
    }
    fields.fault('has the id of another group and gets a new one');
    return randomUUID();
  }

  #client(fields: JsonFields): ClientState | undefined {
    const client = clientOf(fields);
    if (client.id && !this.#clientIds.has(client.id)) {
      this.#clientIds.add(client.id);
      return client;
    }
    fields.fault(client.id ? 'is listed already and is left out' : 'has no id and is left out');
    return undefined;
  }
}

function clientOf(fields: JsonFields): ClientState {
  const config = fields.object('config');
  const volume = config.object('volume');
  const host = fields.object('host');
  const snapclient = fields.object('snapclient');
  const mac = host.text('mac');
  const id = fields.text('id') || mac;
  const instance = config.integer('instance', instanceRange);
  // A client that was connected when the file was written has to say Hello again.
  fields.flag('connected');
  return {
    id,
    hello: {
      mac,
      hostName: host.text('name'),
      version: snapclient.text('version'),
      clientName: snapclient.text('name'),
      os: host.text('os'),
      arch: host.text('arch'),
      instance,
      id: helloIdOf(id, instance),
      protocolVersion: snapclient.integer('protocolVersion', protocolRange),
    },
    address: host.text('ip'),
    lastSeenMs: timeOf(fields.object('lastSeen')),
    name: config.text('name'),
    latencyMs: config.integer('latency', latencyRange),
    volume: volume.integer('percent', volumeRange),
    isMuted: volume.flag('muted'),
    unknown: fields.rest(),
  };
}

/** The reverse of `clientIdOf`. */
function helloIdOf(id: string, instance: number): string {
  const suffix = `#${instance}`;
  return instance !== 1 && id.endsWith(suffix) ? id.slice(0, -suffix.length) : id;
}

/** Unix time in milliseconds, with the microseconds as a fraction. */
function timeOf(fields: JsonFields): number {
  const seconds = fields.integer('sec', secondsRange);
  return (seconds * 1_000_000 + fields.integer('usec', microsecondsRange)) / 1000;
}
