import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { attempt, faultText } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { streamName } from '../control/names.ts';
import { applyScene, deleteScene, type SceneObject, scenes } from '../control/scenes.ts';
import { house, link } from '../control/server.ts';
import { Icon } from '../parts/icons.tsx';
import { Sheet } from '../parts/sheet.tsx';
import { tell } from '../parts/toasts.tsx';
import { listOf, texts } from '../text/texts.ts';

const maxNameLength = 100;

/** Saves scenes, and changes those that there are. */
export function SceneSheet({ onClose }: { readonly onClose: () => void }) {
  const { scenes: words } = texts.value;
  const all = scenes.value ?? [];
  const save = async (name: string, replace: boolean) => {
    const before = all.find((scene) => scene.name === name);
    await link.request('Scene.Save', { name, replace });
    const onUndo = before && (() => void attempt('Scene.Save', { name, replace, scene: before }));
    tell(words.saved(name), { ...(onUndo && { onUndo }) });
  };
  return (
    <Sheet title={words.title} onClose={onClose}>
      <SceneNameForm
        label={words.saveAs}
        name=""
        method="Scene.Save"
        onSave={(name) => save(name, false)}
        onReplace={(name) => save(name, true)}
      />
      {all.length === 0 && <p class="hint">{words.none}</p>}
      <ul class="scene-list">
        {all.map((scene) => (
          <SceneRow key={scene.name} scene={scene} onClose={onClose} />
        ))}
      </ul>
    </Sheet>
  );
}

interface SceneRowProps {
  readonly scene: SceneObject;
  readonly onClose: () => void;
}

function SceneRow({ scene, onClose }: SceneRowProps) {
  const isNaming = useSignal(false);
  const { scenes: words } = texts.value;
  const { name, groups } = scene;
  const streams = new Set(groups.flatMap(({ stream_id }) => stream_id ?? []).map(nameOf));
  const rename = async (newName: string) => {
    await link.request('Scene.Rename', { name, newName });
    isNaming.value = false;
  };
  return (
    <li>
      <div class="line">
        <button
          type="button"
          class="quiet name"
          {...permit('Scene.Apply')}
          aria-label={words.apply(name)}
          onClick={() => {
            onClose();
            void applyScene(name);
          }}
        >
          <span class="cut">{name}</span>
        </button>
        <div class="buttons end">
          <button
            type="button"
            class="quiet round"
            aria-label={words.rename(name)}
            aria-expanded={isNaming.value}
            {...permit('Scene.Rename')}
            onClick={() => {
              isNaming.value = !isNaming.value;
            }}
          >
            <Icon name="edit" />
          </button>
          <button
            type="button"
            class="quiet round danger"
            aria-label={words.delete(name)}
            {...permit('Scene.Delete')}
            onClick={() => void deleteScene(name)}
          >
            <Icon name="remove" />
          </button>
        </div>
      </div>
      <span class="hint">
        {words.rooms(groups.length)}
        {streams.size > 0 && ` · ${listOf([...streams])}`}
      </span>
      {isNaming.value && (
        <SceneNameForm label={words.newName} name={name} method="Scene.Rename" onSave={rename} />
      )}
    </li>
  );
}

function nameOf(streamId: string): string {
  const stream = house.streams.get(streamId)?.value;
  return stream ? streamName(stream) : streamId;
}

interface SceneNameFormProps {
  readonly label: string;
  readonly name: string;
  readonly method: string;
  /** Failure: rejects with what is to be shown. */
  readonly onSave: (name: string) => Promise<void>;
  /** The same for a name that is taken; absent: that is a fault. */
  readonly onReplace?: (name: string) => Promise<void>;
}

function SceneNameForm({ label, name: known, method, onSave, onReplace }: SceneNameFormProps) {
  const id = useId();
  const name = useSignal(known);
  const fault = useSignal('');
  const isTaken = fault.value.startsWith('exists: ');
  const run = async (save: (name: string) => Promise<void>) => {
    try {
      await save(name.value.trim());
      name.value = known;
      fault.value = '';
    } catch (error) {
      fault.value = faultText(error);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(onSave);
      }}
    >
      <div class="field">
        <label htmlFor={id}>{label}</label>
        <input
          id={id}
          value={name.value}
          maxLength={maxNameLength}
          required
          autocomplete="off"
          aria-invalid={fault.value !== ''}
          aria-errormessage={fault.value === '' ? undefined : `${id} fault`}
          {...permit(method)}
          onInput={({ currentTarget }) => {
            name.value = currentTarget.value;
            fault.value = '';
          }}
        />
      </div>
      <button type="submit" {...permit(method)}>
        {texts.value.save}
      </button>
      {fault.value !== '' && (
        <div class="wide line">
          <span class="fault" role="alert" id={`${id} fault`}>
            {isTaken ? texts.value.scenes.taken(name.value.trim()) : fault.value}
          </span>
          {isTaken && onReplace && (
            <button type="button" class="end" onClick={() => void run(onReplace)}>
              {texts.value.scenes.replace}
            </button>
          )}
        </div>
      )}
    </form>
  );
}
