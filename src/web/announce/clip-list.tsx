import { signal } from '@preact/signals';
import { attempt } from '../control/actions.ts';
import { fetchAsUser, permit } from '../control/login.ts';
import { Icon } from '../parts/icons.tsx';
import { tell, undoMs } from '../parts/toasts.tsx';
import { texts } from '../text/texts.ts';
import { repertoire } from './announcing.ts';
import { change, draft } from './draft.ts';
import { PreviewButton } from './preview-button.tsx';
import { decoded } from './sound-file.ts';

/** Deleted, while it can be undone. */
const hidden = signal<ReadonlySet<string>>(new Set());

/** The clips of the library. */
export function ClipList() {
  const { announce: words } = texts.value;
  const clips = (repertoire.value?.clips ?? []).filter(({ name }) => !hidden.value.has(name));
  if (clips.length === 0) return <p class="hint">{words.noClips}</p>;
  return (
    <ul class="clips">
      {clips.map(({ name, duration, fault }) => (
        <li key={name} class="line">
          <label class="choice cut">
            <input
              type="radio"
              name="clip"
              disabled={fault !== undefined}
              checked={draft.value.clip === name}
              onChange={() => change({ clip: name })}
            />
            <span class="cut">{name}</span>
          </label>
          <span class="hint number end" title={fault}>
            {fault === undefined ? duration !== undefined && words.seconds(duration) : words.broken}
          </span>
          <PreviewButton previewKey={`clip ${name}`} name={name} load={() => load(name)} />
          <button
            type="button"
            class="quiet round danger"
            aria-label={words.deleteClip(name)}
            {...permit('Clips.DeleteClip')}
            onClick={() => deleteClip(name)}
          >
            <Icon name="remove" />
          </button>
        </li>
      ))}
    </ul>
  );
}

async function load(name: string): Promise<AudioBuffer> {
  const response = await fetchAsUser(`clips/${encodeURIComponent(name)}`);
  if (!response.ok) throw new Error(await response.text());
  return decoded(await response.blob());
}

/** Gone from sight at once, from the library when it can no longer be undone. */
function deleteClip(name: string): void {
  const show = () => {
    hidden.value = new Set([...hidden.peek()].filter((one) => one !== name));
  };
  hidden.value = new Set([...hidden.peek(), name]);
  if (draft.peek().clip === name) change({ clip: '' });
  const timer = setTimeout(async () => {
    await attempt('Clips.DeleteClip', { name });
    show();
  }, undoMs);
  tell(texts.value.announce.clipDeleted(name), {
    onUndo: () => {
      clearTimeout(timer);
      show();
    },
  });
}
