import { texts } from '../text/texts.ts';
import type { Client, Group } from './house.ts';
import { house } from './server.ts';
import type { StreamObject } from './status-objects.ts';

export function clientName({ config, host, id }: Client): string {
  return config.name || host.name || id;
}

/** One that is not known is called by its id. */
export function nameOfClient(id: string): string {
  const client = house.clients.get(id)?.value;
  return client ? clientName(client) : id;
}

/** A room is called after its players while it has no name of its own. */
export function groupName({ name, clientIds }: Group): string {
  if (name !== '') return name;
  const [first, ...others] = clientIds.flatMap((id) => house.clients.get(id)?.value ?? []);
  if (!first) return texts.value.rooms.unnamed;
  return others.length === 0 ? clientName(first) : `${clientName(first)} + ${others.length}`;
}

export function streamName({ uri, id }: StreamObject): string {
  return uri.query.name || id;
}

/** Whether any player of a group is connected. */
export function isPresent({ clientIds }: Group): boolean {
  return clientIds.some((id) => house.clients.get(id)?.value.connected);
}

/** Whether any player of a group is connected, and not muted. */
export function isHeard({ clientIds, muted }: Group): boolean {
  const isLoud = (id: string) =>
    house.clients.get(id)?.value.connected && house.volumes.get(id)?.value.muted === false;
  return !muted && clientIds.some(isLoud);
}

/** Groups that play a stream. */
export function groupsOf(streamId: string): readonly Group[] {
  return house.groups.ids.value
    .flatMap((id) => house.groups.get(id)?.value ?? [])
    .filter((group) => group.stream_id === streamId);
}
