import { signal, useSignal } from '@preact/signals';
import { attempt, nameClient, setLatency, setVolume } from '../control/actions.ts';
import type { Client } from '../control/house.ts';
import { permit } from '../control/login.ts';
import { clientName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { Icon } from '../parts/icons.tsx';
import { Slider } from '../parts/slider.tsx';
import { tell, undoMs } from '../parts/toasts.tsx';
import { language } from '../settings.ts';
import { texts } from '../text/texts.ts';

/** In decreasing steps, as one tunes. Units: milliseconds. */
const latencySteps = [-25, -5, -1, 1, 5, 25];

/** Clients of which all is shown. */
export const expanded = signal<ReadonlySet<string>>(new Set());
/** Deleted, while it can be undone. */
const hidden = signal<ReadonlySet<string>>(new Set());

export function isHidden(id: string): boolean {
  return hidden.value.has(id);
}

function without(set: ReadonlySet<string>, value: string): ReadonlySet<string> {
  return new Set([...set].filter((one) => one !== value));
}

export function ClientRow({ id, isLast }: { readonly id: string; readonly isLast: boolean }) {
  const client = house.clients.get(id)?.value;
  if (!client) return null;
  const { client: words } = texts.value;
  const { percent = 0, muted = false } = house.volumes.get(id)?.value ?? {};
  const name = clientName(client);
  const isExpanded = expanded.value.has(id);
  const classes = ['row', 'client', isLast && 'last', !client.connected && 'absent'];
  return (
    <div class={classes.filter(Boolean).join(' ')}>
      <div class="line">
        <button
          type="button"
          class="quiet name"
          aria-expanded={isExpanded}
          title={words.details(name)}
          onClick={() => {
            expanded.value = isExpanded
              ? without(expanded.peek(), id)
              : new Set([...expanded.peek(), id]);
          }}
        >
          <span class="cut">{name}</span>
          {!client.connected && <span class="hint">{words.offline}</span>}
        </button>
        <div class="line volume">
          <button
            type="button"
            class="quiet round"
            aria-pressed={muted}
            aria-label={words.mute(name)}
            {...permit('Client.SetVolume')}
            onClick={() => setVolume(id, { muted: !muted })}
          >
            <Icon name={muted ? 'muted' : 'volume'} />
          </button>
          <Slider
            label={words.volume(name)}
            valueText={words.volumeValue(percent, muted)}
            value={percent}
            isMuted={muted}
            {...permit('Client.SetVolume')}
            onChange={(next) => setVolume(id, { percent: next })}
          />
          <output class="number">{percent}</output>
        </div>
      </div>
      {isExpanded && <ClientDetails client={client} />}
    </div>
  );
}

function ClientDetails({ client }: { readonly client: Client }) {
  const { client: words } = texts.value;
  const { id, host, snapclient, config, connected } = client;
  const name = clientName(client);
  const chime = async (chime: string, done: string, repeat = 1) => {
    const targets = { clients: [id] };
    if (await attempt('Announce.Play', { targets, chime, repeat })) tell(done);
  };
  return (
    <div class="details">
      <ClientName client={client} />
      <fieldset class="field" {...permit('Client.SetLatency')}>
        <legend>{words.latency}</legend>
        <div class="buttons">
          {latencySteps.slice(0, 3).map((step) => (
            <LatencyStep key={step} id={id} step={step} />
          ))}
          <output class="number wide">{config.latency} ms</output>
          {latencySteps.slice(3).map((step) => (
            <LatencyStep key={step} id={id} step={step} />
          ))}
        </div>
        <span class="hint">{words.latencyHint}</span>
      </fieldset>
      <dl>
        <dt>{words.address}</dt>
        <dd>{host.ip}</dd>
        <dt>{words.program}</dt>
        <dd>
          {snapclient.name} {snapclient.version}
        </dd>
        <dt>{words.device}</dt>
        <dd>{[host.name, host.os, host.arch].filter(Boolean).join(', ')}</dd>
        <dt>{words.id}</dt>
        <dd>{id}</dd>
      </dl>
      <div class="buttons">
        {connected && (
          <button
            type="button"
            {...permit('Announce.Play')}
            onClick={() => void chime('ding', words.found(name))}
          >
            <Icon name="find" /> {words.find}
          </button>
        )}
        {!connected && (
          <>
            <span class="hint">{words.since(lastSeen(client))}</span>
            <button
              type="button"
              class="danger"
              {...permit('Server.DeleteClient')}
              onClick={() => deleteClient(client)}
            >
              <Icon name="remove" /> {texts.value.delete}
            </button>
          </>
        )}
      </div>
    </div>
  );
}

function LatencyStep({ id, step }: { readonly id: string; readonly step: number }) {
  const text = step > 0 ? `+${step}` : `−${-step}`;
  const onClick = () => setLatency(id, (house.clients.get(id)?.peek().config.latency ?? 0) + step);
  return (
    <button
      type="button"
      class="step"
      aria-label={`${texts.value.client.latency} ${text} ms`}
      onClick={onClick}
    >
      {text}
    </button>
  );
}

function ClientName({ client }: { readonly client: Client }) {
  const name = useSignal(client.config.name);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        nameClient(client.id, name.value.trim());
      }}
    >
      <label class="field">
        <span>{texts.value.client.name}</span>
        <input
          value={name.value}
          placeholder={client.host.name}
          maxLength={100}
          {...permit('Client.SetName')}
          onInput={({ currentTarget }) => {
            name.value = currentTarget.value;
          }}
        />
      </label>
      <button type="submit" disabled={name.value.trim() === client.config.name}>
        {texts.value.save}
      </button>
    </form>
  );
}

function lastSeen({ lastSeen: { sec } }: Client): string {
  const format = new Intl.DateTimeFormat(language.value, {
    dateStyle: 'medium',
    timeStyle: 'short',
  });
  return format.format(sec * 1000);
}

/** Gone from sight at once, from the server when it can no longer be undone. */
function deleteClient(client: Client): void {
  const { id } = client;
  hidden.value = new Set([...hidden.peek(), id]);
  const timer = setTimeout(async () => {
    const result = await attempt('Server.DeleteClient', { id });
    if (result)
      house.takeNotification({
        method: 'Server.OnUpdate',
        params: result as Record<string, unknown>,
      });
    hidden.value = without(hidden.peek(), id);
  }, undoMs);
  tell(texts.value.client.deleted(clientName(client)), {
    onUndo: () => {
      clearTimeout(timer);
      hidden.value = without(hidden.peek(), id);
    },
  });
}
