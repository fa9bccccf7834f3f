import { signal } from '@preact/signals';
import { muteGroup, setVolume } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { groupName, streamName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { Icon } from '../parts/icons.tsx';
import { NowPlaying } from '../parts/now-playing.tsx';
import { Slider } from '../parts/slider.tsx';
import { balanced, meanOf } from '../parts/slider-curve.ts';
import { texts } from '../text/texts.ts';
import { ClientDetails } from './client-details.tsx';
import { ClientName, ClientVolume } from './client-row.tsx';
import { GroupSheet } from './group-sheet.tsx';
import { expanded } from './open-rows.ts';

interface GroupHeadProps {
  readonly id: string;
  /** Clients that are connected. */
  readonly presentIds: readonly string[];
  /** The only client, who has no row of its own. */
  readonly soloId?: string | undefined;
}

/** The group whose sheet is open. */
const openGroup = signal<string | undefined>(undefined);

/** Name, what plays, and the volume of all of a room. */
export function GroupHead({ id, presentIds, soloId }: GroupHeadProps) {
  const group = house.groups.get(id)?.value;
  if (!group) return null;
  const stream = house.streams.get(group.stream_id)?.value;
  const name = groupName(group);
  const solo = soloId === undefined ? undefined : house.clients.get(soloId)?.value;
  const isThere = presentIds.length > 0;
  const open = () => {
    openGroup.value = id;
  };
  const classes = ['row', 'head', solo && 'last', !isThere && 'absent'];
  return (
    <section class={classes.filter(Boolean).join(' ')} aria-label={name}>
      <div class="line">
        <h2>
          {solo ? (
            <ClientName id={solo.id} name={name} />
          ) : (
            <button
              type="button"
              class="quiet name"
              onClick={open}
              title={texts.value.rooms.open(name)}
            >
              <span class="cut">{name}</span>
            </button>
          )}
        </h2>
        <button type="button" class="pill" onClick={open} aria-haspopup="dialog">
          <span class={`dot ${stream?.status ?? 'unknown'}`} />
          <span class="cut">{stream ? streamName(stream) : texts.value.rooms.noStream}</span>
          <Icon name="expand" />
        </button>
      </div>
      {stream && isThere && <NowPlaying stream={stream} />}
      {solo?.connected && <ClientVolume id={solo.id} groupId={id} />}
      {!solo && isThere && <GroupVolume id={id} name={name} presentIds={presentIds} />}
      {solo && expanded.value.has(solo.id) && <ClientDetails client={solo} />}
      {openGroup.value === id && (
        <GroupSheet
          id={id}
          onClose={() => {
            openGroup.value = undefined;
          }}
        />
      )}
    </section>
  );
}

/**
 * Where all of a group were when they were last moved together, and where that brought them: moved on,
 * they come from the same place, or rounding would change the balance step by step.
 */
let moved: { from: readonly number[]; to: readonly number[]; mean: number } | undefined;

function GroupVolume({ id, name, presentIds }: GroupHeadProps & { readonly name: string }) {
  const muted = house.groups.get(id)?.value.muted ?? false;
  const volumes = presentIds.map((clientId) => house.volumes.get(clientId)?.value.percent ?? 0);
  const known = moved?.to.join() === volumes.join() ? moved : undefined;
  const mean = known?.mean ?? Math.round(meanOf(volumes));
  return (
    <div class="line volume">
      <button
        type="button"
        class="quiet round"
        aria-pressed={muted}
        aria-label={texts.value.group.mute(name)}
        {...permit('Group.SetMute')}
        onClick={() => muteGroup(id, !muted)}
      >
        <Icon name={muted ? 'muted' : 'volume'} />
      </button>
      <Slider
        label={texts.value.group.volume(name)}
        valueText={texts.value.client.volumeValue(mean, muted)}
        value={mean}
        isMuted={muted}
        {...permit('Client.SetVolume')}
        onChange={(to) => {
          const from = known?.from ?? volumes;
          const next = balanced(from, to);
          moved = { from, to: next, mean: to };
          for (const [index, clientId] of presentIds.entries()) {
            setVolume(clientId, { percent: next[index]! });
          }
        }}
      />
      <output class="number">{mean}</output>
    </div>
  );
}
