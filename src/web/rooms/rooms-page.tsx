import { computed, signal } from '@preact/signals';
import type { Client, Group } from '../control/house.ts';
import { clientName, groupName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { Forbidden } from '../parts/forbidden.tsx';
import { Icon } from '../parts/icons.tsx';
import { type ListRow, VirtualList } from '../parts/virtual-list.tsx';
import { offline } from '../settings.ts';
import { texts } from '../text/texts.ts';
import { ClientRow } from './client-row.tsx';
import { GroupHead } from './group-head.tsx';
import { expanded, hidden, toggled, unfolded } from './open-rows.ts';
import { SceneBar } from './scene-bar.tsx';

/** With fewer than this one sees at a glance what is there. */
const minClientsToSearch = 12;

const search = signal('');
/** Whether rooms are shown in which nobody is. */
const areAbsentShown = signal(false);

interface Room {
  readonly group: Group;
  readonly present: readonly Client[];
  readonly absent: readonly Client[];
}

/** In the order of the server. */
const rooms = computed<readonly Room[]>(() => {
  const wanted = search.value.trim().toLocaleLowerCase();
  return house.groups.ids.value.flatMap((id): readonly Room[] => {
    const group = house.groups.get(id)?.value;
    if (!group) return [];
    const isWanted = matches(groupName(group), wanted);
    const clients = group.clientIds
      .flatMap((clientId) => house.clients.get(clientId)?.value ?? [])
      .filter((client) => !hidden.value.has(client.id))
      .filter((client) => isWanted || matches(clientName(client), wanted));
    if (clients.length === 0) return [];
    const present = clients.filter(({ connected }) => connected);
    return [{ group, present, absent: clients.filter(({ connected }) => !connected) }];
  });
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
      <VirtualList rows={rowsOfAll(rooms.value)} />
    </>
  );
}

/** Rooms in which nobody is come last, if at all. */
function rowsOfAll(found: readonly Room[]): readonly ListRow[] {
  const present = found.filter((room) => room.present.length > 0);
  const absent = found.filter((room) => room.present.length === 0);
  const isFolded = offline.value === 'folded' && search.value.trim() === '';
  if (absent.length === 0 || present.length === 0 || !isFolded) {
    return [...present, ...absent].flatMap(rowsOf);
  }
  const areShown = areAbsentShown.value;
  const fold = {
    key: 'absent',
    likelyHeight: 44,
    render: () => (
      <Fold
        isOpen={areShown}
        text={texts.value.rooms.roomsOffline(absent.length)}
        onToggle={() => {
          areAbsentShown.value = !areShown;
        }}
      />
    ),
  };
  return [...present.flatMap(rowsOf), fold, ...(areShown ? absent.flatMap(rowsOf) : [])];
}

function rowsOf({ group, present, absent }: Room): readonly ListRow[] {
  const solo = group.clientIds.length === 1 ? (present[0] ?? absent[0]) : undefined;
  const isAlways = offline.value === 'shown' || present.length === 0;
  const isUnfolded = isAlways || unfolded.value.has(group.id);
  const shown = isUnfolded ? [...present, ...absent] : present;
  const clients = solo ? [] : shown;
  const hasFold = !isAlways && absent.length > 0;
  const head = {
    key: group.id,
    likelyHeight: heightOf(solo?.id) + (present.length > 0 ? 112 : 64),
    render: () => (
      <GroupHead id={group.id} presentIds={present.map(({ id }) => id)} soloId={solo?.id} />
    ),
  };
  const rows = clients.map(({ id }, index) => ({
    key: `${group.id} ${id}`,
    likelyHeight: 56 + heightOf(id),
    render: () => <ClientRow id={id} isLast={!hasFold && index === clients.length - 1} />,
  }));
  const fold = {
    key: `${group.id} offline`,
    likelyHeight: 44,
    render: () => (
      <div class="row last">
        <Fold
          isOpen={isUnfolded}
          text={texts.value.rooms.offline(absent.length)}
          onToggle={() => {
            unfolded.value = toggled(unfolded.peek(), group.id);
          }}
        />
      </div>
    ),
  };
  return [head, ...rows, ...(hasFold ? [fold] : [])];
}

/** Of the details of a client, where they are shown. Units: pixels. */
function heightOf(id = ''): number {
  return expanded.value.has(id) ? 340 : 0;
}

interface FoldProps {
  readonly isOpen: boolean;
  readonly text: string;
  readonly onToggle: () => void;
}

function Fold({ isOpen, text, onToggle }: FoldProps) {
  return (
    <button type="button" class="quiet fold" aria-expanded={isOpen} onClick={onToggle}>
      {text}
      <Icon name="expand" />
    </button>
  );
}

/** What to do while there is no player at all. */
function Nobody() {
  return (
    <div class="card empty">
      <Icon name="speaker" />
      <h2>{texts.value.rooms.empty}</h2>
      <p>{texts.value.rooms.emptyHint}</p>
      <pre>snapclient -h {location.hostname}</pre>
      <a href="#/more">{texts.value.rooms.emptyMore}</a>
    </div>
  );
}
