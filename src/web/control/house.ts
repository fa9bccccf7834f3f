import { batch, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Notification } from './control-link.ts';
import type {
  ClientObject,
  GroupObject,
  PropertiesObject,
  ServerObject,
  StreamObject,
  VolumeObject,
} from './status-objects.ts';

/** A group without what is known of its clients themselves. */
export interface Group extends Omit<GroupObject, 'clients'> {
  readonly clientIds: readonly string[];
}

/** A client without its volume, which changes more often than all else. */
export interface Client extends Omit<ClientObject, 'config'> {
  readonly config: Omit<ClientObject['config'], 'volume'>;
}

interface Volume extends VolumeObject {
  /** Of the client. */
  readonly id: string;
}

/** Records by id in the order of the server, each of which changes by itself. */
class Records<T extends { readonly id: string }> {
  readonly #ids = signal<readonly string[]>([]);
  readonly #records = new Map<string, Signal<T>>();

  get ids(): ReadonlySignal<readonly string[]> {
    return this.#ids;
  }

  get(id: string): ReadonlySignal<T> | undefined {
    return this.#records.get(id);
  }

  /** Changes what differs: what is shown of the others stays as it is. */
  replaceAll(records: readonly T[]): void {
    for (const record of records) this.put(record);
    const ids = records.map(({ id }) => id);
    const kept = new Set(ids);
    for (const id of this.#records.keys()) if (!kept.has(id)) this.#records.delete(id);
    if (!isSame(ids, this.#ids.peek())) this.#ids.value = ids;
  }

  /** Does nothing when there is none of this id. */
  change(id: string, change: (record: T) => T): void {
    const known = this.#records.get(id);
    if (known) this.put(change(known.peek()));
  }

  /** It gets its place in the order with the next whole status. */
  put(record: T): void {
    const known = this.#records.get(record.id);
    if (!known) this.#records.set(record.id, signal(record));
    else if (!isSame(known.peek(), record)) known.value = record;
  }
}

/** All that the page knows of the server: what it has asked for, kept true by notifications. */
export class House {
  readonly groups = new Records<Group>();
  readonly clients = new Records<Client>();
  readonly volumes = new Records<Volume>();
  readonly streams = new Records<StreamObject>();
  readonly serverName = signal('');
  /** Something was said of what is not known here: the whole status is to be asked for. */
  readonly isOutdated = signal(false);

  takeStatus({ groups, streams, server }: ServerObject): void {
    batch(() => {
      const clients = groups.flatMap((group) => group.clients);
      this.clients.replaceAll(clients.map(clientOf));
      this.volumes.replaceAll(clients.map(volumeOf));
      this.groups.replaceAll(
        groups.map(({ clients, ...group }) => ({
          ...group,
          clientIds: clients.map(({ id }) => id),
        })),
      );
      this.streams.replaceAll(streams);
      this.serverName.value = server.host.name;
      this.isOutdated.value = false;
    });
  }

  /** Source: protocol reference, 11. */
  takeNotification({ method, params }: Notification): void {
    this.#byMethod[method]?.(String(params.id ?? ''), params);
  }

  readonly #byMethod: Readonly<
    Record<string, (id: string, params: Notification['params']) => void>
  > = {
    'Server.OnUpdate': (_, { server }) => this.takeStatus(server as ServerObject),
    'Client.OnConnect': (_, { client }) => this.#takeClient(client as ClientObject),
    'Client.OnDisconnect': (_, { client }) => this.#takeClient(client as ClientObject),
    'Client.OnVolumeChanged': (id, { volume }) => this.setVolume(id, volume as VolumeObject),
    'Client.OnLatencyChanged': (id, { latency }) =>
      this.setClient(id, { latency: Number(latency) }),
    'Client.OnNameChanged': (id, { name }) => this.setClient(id, { name: String(name) }),
    'Group.OnMute': (id, { mute }) => this.setGroup(id, { muted: mute === true }),
    'Group.OnStreamChanged': (id, { stream_id }) =>
      this.setGroup(id, { stream_id: String(stream_id) }),
    'Group.OnNameChanged': (id, { name }) => this.setGroup(id, { name: String(name) }),
    'Stream.OnUpdate': (_, { stream }) => this.#takeStream(stream as StreamObject),
    'Stream.OnProperties': (id, { properties }) =>
      this.streams.change(id, (stream) => ({
        ...stream,
        properties: properties as PropertiesObject,
      })),
  };

  setVolume(id: string, volume: VolumeObject): void {
    this.volumes.change(id, () => ({ id, ...volume }));
  }

  setClient(id: string, config: Partial<Client['config']>): void {
    this.clients.change(id, (client) => ({ ...client, config: { ...client.config, ...config } }));
  }

  setGroup(id: string, change: Partial<Group>): void {
    this.groups.change(id, (group) => ({ ...group, ...change }));
  }

  #takeClient(client: ClientObject): void {
    if (this.clients.get(client.id)) {
      this.clients.put(clientOf(client));
      this.volumes.put(volumeOf(client));
    } else this.isOutdated.value = true;
  }

  #takeStream(stream: StreamObject): void {
    if (this.streams.get(stream.id)) this.streams.put(stream);
    else this.isOutdated.value = true;
  }
}

function clientOf({ config: { volume: _, ...config }, ...client }: ClientObject): Client {
  return { ...client, config };
}

function volumeOf({ id, config }: ClientObject): Volume {
  return { id, ...config.volume };
}

/** Whether two pieces of a status say the same. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [ours, theirs] = [Object.entries(a), new Map(Object.entries(b))];
  return (
    ours.length === theirs.size &&
    ours.every(([key, value]) => theirs.has(key) && isSame(value, theirs.get(key)))
  );
}
