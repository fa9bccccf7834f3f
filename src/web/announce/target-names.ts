import { clientName, groupName, streamName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { listOf, texts } from '../text/texts.ts';
import type { Targets } from './announcing.ts';

/** Whom an announcement is for, for people. */
export function targetNames({ all, groups = [], clients = [], streams = [] }: Targets): string {
  if (all) return texts.value.announce.targets.all;
  const names = [
    ...groups.map((id) => named(id, house.groups.get(id)?.value, groupName)),
    ...clients.map((id) => named(id, house.clients.get(id)?.value, clientName)),
    ...streams.map((id) => named(id, house.streams.get(id)?.value, streamName)),
  ];
  return listOf(names);
}

/** Who asked may have used a name instead of an id. */
function named<T>(id: string, record: T | undefined, nameOf: (record: T) => string): string {
  return record === undefined ? id : nameOf(record);
}
