import { muteGroup, setVolume } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { clientName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { Icon } from '../parts/icons.tsx';
import { Slider } from '../parts/slider.tsx';
import { texts } from '../text/texts.ts';
import { ClientDetails } from './client-details.tsx';
import { expanded, toggled } from './open-rows.ts';

/** One of the players of a room. */
export function ClientRow({ id, isLast }: { readonly id: string; readonly isLast: boolean }) {
  const client = house.clients.get(id)?.value;
  if (!client) return null;
  const classes = ['row', 'client', isLast && 'last', !client.connected && 'absent'];
  return (
    <div class={classes.filter(Boolean).join(' ')}>
      <div class="line">
        <ClientName id={id} />
        {client.connected && <ClientVolume id={id} />}
      </div>
      {expanded.value.has(id) && <ClientDetails client={client} />}
    </div>
  );
}

/** Shows all of a player, or no longer. */
export function ClientName({ id, name }: { readonly id: string; readonly name?: string }) {
  const client = house.clients.get(id)?.value;
  if (!client) return null;
  const { client: words } = texts.value;
  const own = clientName(client);
  return (
    <button
      type="button"
      class="quiet name"
      aria-expanded={expanded.value.has(id)}
      title={words.details(own)}
      onClick={() => {
        expanded.value = toggled(expanded.peek(), id);
      }}
    >
      <span class="cut">{name ?? own}</span>
      {name !== undefined && name !== own && <span class="hint cut">{own}</span>}
      {!client.connected && <span class="hint">{words.offline}</span>}
      <Icon name="expand" />
    </button>
  );
}

interface ClientVolumeProps {
  readonly id: string;
  /** Of which it is the only one: what mutes the group mutes the player. */
  readonly groupId?: string;
}

export function ClientVolume({ id, groupId = '' }: ClientVolumeProps) {
  const client = house.clients.get(id)?.value;
  if (!client) return null;
  const { client: words } = texts.value;
  const { percent = 0, muted: isMuted = false } = house.volumes.get(id)?.value ?? {};
  const isGroupMuted = house.groups.get(groupId)?.value.muted ?? false;
  const isSilent = isMuted || isGroupMuted;
  const name = clientName(client);
  const mute = () => {
    if (isGroupMuted) muteGroup(groupId, false);
    if (isMuted === isSilent) setVolume(id, { muted: !isMuted });
  };
  return (
    <div class="line volume">
      <button
        type="button"
        class="quiet round"
        aria-pressed={isSilent}
        aria-label={words.mute(name)}
        {...permit('Client.SetVolume')}
        onClick={mute}
      >
        <Icon name={isSilent ? 'muted' : 'volume'} />
      </button>
      <Slider
        label={words.volume(name)}
        valueText={words.volumeValue(percent, isSilent)}
        value={percent}
        isMuted={isSilent}
        {...permit('Client.SetVolume')}
        onChange={(next) => setVolume(id, { percent: next })}
      />
      <output class="number">{percent}</output>
    </div>
  );
}
