import { signal } from '@preact/signals';
import { attempt, requestStream, setStream } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { groupName, groupsOf, isHeard, isPresent, streamName } from '../control/names.ts';
import { house, link, refresh } from '../control/server.ts';
import type { StreamObject } from '../control/status-objects.ts';
import { Forbidden } from '../parts/forbidden.tsx';
import { Icon } from '../parts/icons.tsx';
import { later } from '../parts/later.tsx';
import { Sheet } from '../parts/sheet.tsx';
import { listOf, texts } from '../text/texts.ts';
import { fieldsIn, kinds, type StreamKind } from './stream-address.ts';
import { StreamForm } from './stream-form.tsx';

type Task =
  | { readonly name: 'add' }
  | { readonly name: 'edit' | 'remove' | 'play'; readonly id: string };

const StreamLevels = later(async () => (await import('../live/stream-levels.tsx')).StreamLevels);
const LevelNotes = later(async () => (await import('../live/stream-levels.tsx')).LevelNotes);

/** What is being done in a sheet. */
const task = signal<Task | undefined>(undefined);

function close(): void {
  task.value = undefined;
}

export function StreamsPage() {
  const { streams: words } = texts.value;
  const ids = house.streams.ids.value;
  return (
    <>
      {ids.length === 0 && <p class="hint">{words.empty}</p>}
      {ids.map((id) => (
        <StreamCard key={id} id={id} />
      ))}
      <Forbidden methods={['Stream.AddStream', 'Stream.RemoveStream', 'Group.SetStream']} />
      <div class="buttons">
        <button
          type="button"
          class="main"
          {...permit('Stream.AddStream')}
          onClick={() => {
            task.value = { name: 'add' };
          }}
        >
          <Icon name="add" /> {words.add}
        </button>
      </div>
      <LevelNotes />
      <OpenSheet />
    </>
  );
}

function StreamCard({ id }: { readonly id: string }) {
  const stream = house.streams.get(id)?.value;
  if (!stream) return null;
  const { streams: words } = texts.value;
  const rooms = groupsOf(id).filter(isPresent).map(groupName);
  const { codec, sampleformat } = stream.uri.query;
  const begin = (name: 'edit' | 'remove' | 'play') => () => {
    task.value = { name, id };
  };
  return (
    <section class="card stream" aria-label={streamName(stream)}>
      <div class="line">
        <h2 class="cut">{streamName(stream)}</h2>
        <span class="pill">
          <span class={`dot ${stream.status}`} />
          {words.status[stream.status]}
        </span>
      </div>
      <p class="hint">
        {[stream.uri.scheme, codec, sampleformat].filter(Boolean).join(' · ')}
        <br />
        {rooms.length > 0 ? words.heardIn(listOf(rooms)) : words.heardNowhere}
      </p>
      {stream.status !== 'disabled' && (
        <StreamLevels id={id} name={streamName(stream)} isHeard={groupsOf(id).some(isHeard)} />
      )}
      <div class="buttons">
        <button type="button" {...permit('Group.SetStream')} onClick={begin('play')}>
          <Icon name="play" /> {words.playHere}
        </button>
        {kindOf(stream) && (
          <button
            type="button"
            class="quiet"
            {...permit('Stream.AddStream', 'Stream.RemoveStream')}
            onClick={begin('edit')}
          >
            <Icon name="edit" /> {words.edit}
          </button>
        )}
        <button
          type="button"
          class="quiet danger"
          {...permit('Stream.RemoveStream')}
          onClick={begin('remove')}
        >
          <Icon name="remove" /> {texts.value.remove}…
        </button>
      </div>
    </section>
  );
}

function OpenSheet() {
  const current = task.value;
  if (!current) return null;
  if (current.name === 'add') {
    const title = texts.value.streams.add;
    return <StreamForm title={title} kind="pipe" fields={{}} onSave={add} onClose={close} />;
  }
  const stream = house.streams.get(current.id)?.value;
  if (!stream) return null;
  if (current.name === 'edit') return <EditSheet stream={stream} />;
  if (current.name === 'play') return <PlaySheet stream={stream} />;
  return <RemoveSheet stream={stream} />;
}

function kindOf({ uri }: StreamObject): StreamKind | undefined {
  return kinds.find((kind) => kind === uri.scheme);
}

/** Returns its id. */
async function add(address: string): Promise<string> {
  const result = await link.request('Stream.AddStream', { streamUri: address });
  await refresh();
  return (result as { readonly id: string }).id;
}

function EditSheet({ stream }: { readonly stream: StreamObject }) {
  const { id, uri } = stream;
  const save = async (address: string) => {
    const rooms = groupsOf(id);
    await link.request('Stream.RemoveStream', { id });
    try {
      const newId = await add(address);
      // To one of the same name they come back by themselves.
      if (newId === id) return;
      for (const room of rooms) requestStream(room.id, newId);
    } catch (error) {
      // What was there plays on while the new one is corrected.
      await add(uri.raw);
      throw error;
    }
  };
  return (
    <StreamForm
      title={streamName(stream)}
      kind={kindOf(stream) ?? 'pipe'}
      fields={fieldsIn(uri)}
      onSave={save}
      onClose={close}
    />
  );
}

function PlaySheet({ stream }: { readonly stream: StreamObject }) {
  const everywhere = () => {
    setStream(house.groups.ids.peek(), stream.id);
    close();
  };
  return (
    <Sheet title={texts.value.streams.playHere} onClose={close}>
      {house.groups.ids.value.length === 0 && <p>{texts.value.rooms.empty}</p>}
      <div class="choices">
        {house.groups.ids.value.map((id) => {
          const group = house.groups.get(id)?.value;
          return (
            group && (
              <label key={id} class="choice">
                <input
                  type="checkbox"
                  checked={group.stream_id === stream.id}
                  disabled={group.stream_id === stream.id}
                  onChange={() => setStream([id], stream.id)}
                />
                <span class="cut">{groupName(group)}</span>
              </label>
            )
          );
        })}
      </div>
      <div class="buttons">
        <button type="button" class="main" onClick={everywhere}>
          {texts.value.streams.playEverywhere}
        </button>
      </div>
    </Sheet>
  );
}

function RemoveSheet({ stream }: { readonly stream: StreamObject }) {
  const { streams: words } = texts.value;
  const rooms = groupsOf(stream.id).map(groupName);
  const remove = async () => {
    close();
    if (await attempt('Stream.RemoveStream', { id: stream.id })) await refresh();
  };
  return (
    <Sheet title={words.removeTitle(streamName(stream))} onClose={close}>
      <p>{rooms.length > 0 ? words.removeRooms(listOf(rooms)) : words.removeNone}</p>
      <div class="buttons">
        <button type="button" class="quiet" onClick={close}>
          {texts.value.cancel}
        </button>
        <button type="button" class="danger main" onClick={() => void remove()}>
          {texts.value.remove}
        </button>
      </div>
    </Sheet>
  );
}
