import { nameGroup, setClients, setStream } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { clientName, groupName, streamName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { Forbidden } from '../parts/forbidden.tsx';
import { NameForm } from '../parts/name-form.tsx';
import { Sheet } from '../parts/sheet.tsx';
import { texts } from '../text/texts.ts';

/** Who is in a room, what it plays, and its name. */
export function GroupSheet({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const group = house.groups.get(id)?.value;
  if (!group) return null;
  const { rooms: words } = texts.value;
  const all = house.clients.ids.value;
  const keep = (clientIds: readonly string[]) => void setClients(id, clientIds);
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
                  onChange={() => setStream([id], streamId)}
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
          <button type="button" onClick={() => keep(all)}>
            {words.everywhere}
          </button>
          {group.clientIds.length > 1 && (
            <button type="button" onClick={() => keep(group.clientIds.slice(0, 1))}>
              {words.alone}
            </button>
          )}
        </div>
        <Members id={id} onKeep={keep} />
      </fieldset>
      <NameForm
        label={words.name}
        name={group.name}
        placeholder={groupName({ ...group, name: '' })}
        method="Group.SetName"
        onSave={(name) => nameGroup(id, name)}
      />
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
              {!isMember &&
                room &&
                groupName(room) !== clientName(client) &&
                texts.value.rooms.in(groupName(room))}
            </span>
          </label>
        );
      })}
    </div>
  );
}
