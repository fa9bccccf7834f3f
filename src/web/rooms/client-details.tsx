import { useSignal } from '@preact/signals';
import { attempt, nameClient, setLatency } from '../control/actions.ts';
import type { Client } from '../control/house.ts';
import { permit } from '../control/login.ts';
import { clientName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { AlignSheet } from '../parts/align-sheet.tsx';
import { Icon } from '../parts/icons.tsx';
import { NameForm } from '../parts/name-form.tsx';
import { tell, undoMs } from '../parts/toasts.tsx';
import { language } from '../settings.ts';
import { texts } from '../text/texts.ts';
import { hidden, toggled } from './open-rows.ts';

/** All that is known of a player, and what can be done with it. */
export function ClientDetails({ client }: { readonly client: Client }) {
  const { client: words, align } = texts.value;
  const { id, host, snapclient, config, connected } = client;
  const isAligning = useSignal(false);
  const name = clientName(client);
  const chime = async () => {
    const targets = { clients: [id] };
    if (await attempt('Announce.Play', { targets, chime: 'ding' })) tell(words.found(name));
  };
  return (
    <div class="details">
      <NameForm
        label={words.name}
        name={config.name}
        placeholder={host.name}
        method="Client.SetName"
        onSave={(name) => nameClient(id, name)}
      />
      <dl>
        {!connected && (
          <>
            <dt>{words.lastSeen}</dt>
            <dd>{lastSeen(client)}</dd>
          </>
        )}
        <dt>{words.latency}</dt>
        <dd>{align.ms(config.latency)}</dd>
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
        {connected ? (
          <>
            <button
              type="button"
              {...permit('Client.SetLatency')}
              onClick={() => {
                isAligning.value = true;
              }}
            >
              <Icon name="align" /> {align.open}
            </button>
            <button type="button" {...permit('Announce.Play')} onClick={() => void chime()}>
              <Icon name="find" /> {words.find}
            </button>
          </>
        ) : (
          <button
            type="button"
            class="danger"
            {...permit('Server.DeleteClient')}
            onClick={() => deleteClient(client)}
          >
            <Icon name="remove" /> {texts.value.delete}
          </button>
        )}
      </div>
      {isAligning.value && (
        <AlignSheet
          name={name}
          clientId={id}
          valueMs={config.latency}
          onChange={(latencyMs) => setLatency(id, latencyMs)}
          onClose={() => {
            isAligning.value = false;
          }}
        />
      )}
    </div>
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
  hidden.value = toggled(hidden.peek(), id);
  const timer = setTimeout(async () => {
    const result = await attempt('Server.DeleteClient', { id });
    if (result)
      house.takeNotification({
        method: 'Server.OnUpdate',
        params: result as Record<string, unknown>,
      });
    hidden.value = toggled(hidden.peek(), id);
  }, undoMs);
  tell(texts.value.client.deleted(clientName(client)), {
    onUndo: () => {
      clearTimeout(timer);
      hidden.value = toggled(hidden.peek(), id);
    },
  });
}
