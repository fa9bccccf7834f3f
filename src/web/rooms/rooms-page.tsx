import { computed, signal } from '@preact/signals';
import type { Client, Group } from '../control/house.ts';
import { clientName, groupName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { Forbidden } from '../parts/forbidden.tsx';
import { Icon } from '../parts/icons.tsx';
import { type ListRow, VirtualList } from '../parts/virtual-list.tsx';
import { offline } from '../settings.ts';
import { texts } from '../text/texts.ts';
import { ClientRow, expanded, isHidden } from './client-row.tsx';
import { GroupHead } from './group-head.tsx';
import { SceneBar } from './scene-bar.tsx';

/** With fewer than this one sees at a glance what is there. */
const minClientsToSearch = 12;

const search = signal('');
/** Groups whose offline clients are shown. */
const unfolded = signal<ReadonlySet<string>>(new Set());

interface Room {
  readonly group: Group;
  readonly present: readonly Client[];
  readonly absent: readonly Client[];
}

/** Rooms with somebody in them first; within that in the order of the server. */
const rooms = computed<readonly Room[]>(() => {
  const wanted = search.value.trim().toLocaleLowerCase();
  const found = house.groups.ids.value.flatMap((id): readonly Room[] => {
    const group = house.groups.get(id)?.value;
    if (!group) return [];
    const isWanted = matches(groupName(group), wanted);
    const clients = group.clientIds
      .flatMap((clientId) => house.clients.get(clientId)?.value ?? [])
      .filter((client) => !isHidden(client.id))
      .filter((client) => isWanted || matches(clientName(client), wanted));
    if (clients.length === 0) return [];
    const present = clients.filter(({ connected }) => connected);
    return [{ group, present, absent: clients.filter(({ connected }) => !connected) }];
  });
  return [
    ...found.filter(({ present }) => present.length > 0),
    ...found.filter(({ present }) => present.length === 0),
  ];
});

function matches(name: string, wanted: string): boolean {
  return wanted === '' || name.toLocaleLowerCase().includes(wanted);
}

export function RoomsPage() {
  const { rooms: words } = texts.value;
  const count = house.clients.ids.value.length;
  if (count === 0) return <Nobody />;
  return (
    <>
      <SceneBar />
      {count >= minClientsToSearch && (
        <label class="search">
          <Icon name="search" />
          <input
            type="search"
            value={search.value}
            placeholder={words.search}
            aria-label={words.search}
            onInput={({ currentTarget }) => {
              search.value = currentTarget.value;
            }}
          />
        </label>
      )}
      {rooms.value.length === 0 && <p class="hint">{words.none}</p>}
      <Forbidden methods={['Client.SetVolume', 'Group.SetMute']} />
      <VirtualList rows={rooms.value.flatMap(rowsOf)} />
    </>
  );
}

function rowsOf({ group, present, absent }: Room): readonly ListRow[] {
  const isAlways = offline.value === 'shown' || present.length === 0;
  const isUnfolded = isAlways || unfolded.value.has(group.id);
  const clients = isUnfolded ? [...present, ...absent] : present;
  const fold = !isAlways && absent.length > 0;
  return [
    {
      key: group.id,
      likelyHeight: present.length > 1 ? 144 : 88,
      render: () => <GroupHead id={group.id} presentIds={present.map(({ id }) => id)} />,
    },
    ...clients.map(({ id }, index) => ({
      key: `${group.id} ${id}`,
      likelyHeight: expanded.value.has(id) ? 360 : 56,
      render: () => <ClientRow id={id} isLast={!fold && index === clients.length - 1} />,
    })),
    ...(fold ? [foldRow(group.id, absent.length, isUnfolded)] : []),
  ];
}

function foldRow(groupId: string, count: number, isUnfolded: boolean): ListRow {
  return {
    key: `${groupId} offline`,
    likelyHeight: 44,
    render: () => (
      <div class="row last">
        <button
          type="button"
          class="quiet fold"
          aria-expanded={isUnfolded}
          onClick={() => {
            unfolded.value = toggled(unfolded.peek(), groupId);
          }}
        >
          {isUnfolded ? texts.value.rooms.hideOffline : texts.value.rooms.offline(count)}
        </button>
      </div>
    ),
  };
}

function toggled(set: ReadonlySet<string>, value: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(value)) next.add(value);
  return next;
}

/** What to do while there is no player at all. */
function Nobody() {
  return (
    <div class="card empty">
      <Icon name="speaker" />
      <h2>{texts.value.rooms.empty}</h2>
      <p>{texts.value.rooms.emptyHint}</p>
      <pre>snapclient -h {location.hostname}</pre>
    </div>
  );
}
