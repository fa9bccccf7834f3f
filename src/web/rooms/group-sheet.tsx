import { useSignal } from '@preact/signals';
import { nameGroup, setClients, setStream } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { clientName, groupName, streamName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { Forbidden } from '../parts/forbidden.tsx';
import { Sheet } from '../parts/sheet.tsx';
import { tell } from '../parts/toasts.tsx';
import { texts } from '../text/texts.ts';

/** Who is in a room, what it plays, and its name. */
export function GroupSheet({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const group = house.groups.get(id)?.value;
  if (!group) return null;
  const { rooms: words } = texts.value;
  const all = house.clients.ids.value;
  const keep = async (clientIds: readonly string[]) => {
    const before = group.clientIds;
    const isDone = await setClients(id, clientIds);
    if (!isDone) return;
    const onUndo = () => void setClients(id, before);
    tell(words.moved(groupName({ ...group, clientIds })), { onUndo });
  };
  return (
    <Sheet title={groupName(group)} onClose={onClose}>
      <Forbidden methods={['Group.SetStream', 'Group.SetClients', 'Group.SetName']} />
      <fieldset {...permit('Group.SetStream')}>
        <legend>{words.stream}</legend>
        {house.streams.ids.value.map((streamId) => {
          const stream = house.streams.get(streamId)?.value;
          return (
            stream && (
              <label key={streamId} class="choice">
                <input
                  type="radio"
                  name="stream"
                  checked={group.stream_id === streamId}
                  onChange={() => setStream(id, streamId)}
                />
                <span class={`dot ${stream.status}`} />
                <span class="cut">{streamName(stream)}</span>
                <span class="hint end">{texts.value.streams.status[stream.status]}</span>
              </label>
            )
          );
        })}
      </fieldset>
      <fieldset {...permit('Group.SetClients')}>
        <legend>{words.playsHere}</legend>
        <div class="buttons">
          <button type="button" onClick={() => void keep(all)}>
            {words.everywhere}
          </button>
          {group.clientIds.length > 1 && (
            <button type="button" onClick={() => void keep(group.clientIds.slice(0, 1))}>
              {words.alone}
            </button>
          )}
        </div>
        <Members id={id} onKeep={(clientIds) => void keep(clientIds)} />
      </fieldset>
      <Naming id={id} />
    </Sheet>
  );
}

interface MembersProps {
  readonly id: string;
  readonly onKeep: (clientIds: readonly string[]) => void;
}

function Members({ id, onKeep }: MembersProps) {
  const members = house.groups.get(id)?.value.clientIds ?? [];
  const roomOf = new Map(
    house.groups.ids.value.flatMap((groupId) => {
      const group = house.groups.get(groupId)?.value;
      return group ? group.clientIds.map((clientId) => [clientId, group] as const) : [];
    }),
  );
  return (
    <div class="choices">
      {house.clients.ids.value.map((clientId) => {
        const client = house.clients.get(clientId)?.value;
        if (!client) return null;
        const isMember = members.includes(clientId);
        const room = roomOf.get(clientId);
        return (
          <label key={clientId} class={client.connected ? 'choice' : 'choice absent'}>
            <input
              type="checkbox"
              checked={isMember}
              // A room without anybody does not exist.
              disabled={isMember && members.length === 1}
              onChange={() =>
                onKeep(
                  isMember
                    ? members.filter((member) => member !== clientId)
                    : [...members, clientId],
                )
              }
            />
            <span class="cut">{clientName(client)}</span>
            <span class="hint end cut">
              {!isMember && room && texts.value.rooms.in(groupName(room))}
            </span>
          </label>
        );
      })}
    </div>
  );
}

function Naming({ id }: { readonly id: string }) {
  const known = house.groups.get(id)?.value.name ?? '';
  const name = useSignal(known);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        nameGroup(id, name.value.trim());
      }}
    >
      <label class="field">
        <span>{texts.value.rooms.name}</span>
        <input
          value={name.value}
          maxLength={100}
          {...permit('Group.SetName')}
          onInput={({ currentTarget }) => {
            name.value = currentTarget.value;
          }}
        />
      </label>
      <button type="submit" disabled={name.value.trim() === known}>
        {texts.value.save}
      </button>
    </form>
  );
}
