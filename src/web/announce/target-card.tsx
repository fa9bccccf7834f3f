import { groupName, streamName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { texts } from '../text/texts.ts';
import type { FormFault } from './announce-fault.ts';
import { change, type Draft, draft, type TargetKind } from './draft.ts';
import { FieldFault } from './field-fault.tsx';

const kinds: readonly TargetKind[] = ['all', 'groups', 'streams'];

/** Where it is to be heard. */
export function TargetCard({ fault }: { readonly fault: FormFault | undefined }) {
  const { announce: words } = texts.value;
  const { targets } = draft.value;
  return (
    <fieldset class="card">
      <legend>{words.where}</legend>
      <div class="segments">
        {kinds.map((kind) => (
          <label key={kind}>
            <input
              type="radio"
              name="targets"
              checked={targets === kind}
              onChange={() => change({ targets: kind })}
            />
            <span>{words.targets[kind]}</span>
          </label>
        ))}
      </div>
      {targets === 'groups' && <Choices of="groups" all={rooms()} />}
      {targets === 'streams' && <Choices of="streams" all={streams()} />}
      <FieldFault of="targets" fault={fault} />
    </fieldset>
  );
}

interface Named {
  readonly id: string;
  readonly name: string;
}

/** Those where it can be heard. */
function rooms(): readonly Named[] {
  const groups = house.groups.ids.value.flatMap((id) => house.groups.get(id)?.value ?? []);
  const isThere = (id: string) => house.clients.get(id)?.value.connected === true;
  return groups
    .filter(({ clientIds }) => clientIds.some(isThere))
    .map((group) => ({ id: group.id, name: groupName(group) }));
}

function streams(): readonly Named[] {
  const all = house.streams.ids.value.flatMap((id) => house.streams.get(id)?.value ?? []);
  return all.map((stream) => ({ id: stream.id, name: streamName(stream) }));
}

/** Without rooms and streams that have gone since: they are not shown, and the server knows them not. */
export function withoutGone(wanted: Draft): Draft {
  const there = (all: readonly Named[], ids: readonly string[]) =>
    ids.filter((chosen) => all.some(({ id }) => id === chosen));
  return {
    ...wanted,
    groups: there(rooms(), wanted.groups),
    streams: there(streams(), wanted.streams),
  };
}

interface ChoicesProps {
  readonly of: 'groups' | 'streams';
  readonly all: readonly Named[];
}

function Choices({ of, all }: ChoicesProps) {
  const chosen = draft.value[of];
  if (all.length === 0) return <p class="hint">{texts.value.announce.nobodyThere}</p>;
  return (
    <div class="choices">
      {all.map(({ id, name }) => (
        <label key={id} class="choice">
          <input
            type="checkbox"
            checked={chosen.includes(id)}
            onChange={({ currentTarget }) => {
              const others = chosen.filter((one) => one !== id);
              change({ [of]: currentTarget.checked ? [...others, id] : others });
            }}
          />
          <span class="cut">{name}</span>
        </label>
      ))}
    </div>
  );
}
