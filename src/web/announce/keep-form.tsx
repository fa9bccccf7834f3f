import { useSignal } from '@preact/signals';
import { faultText } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { Icon } from '../parts/icons.tsx';
import { texts } from '../text/texts.ts';
import { shownFault } from './announce-fault.ts';
import { keepClip } from './announcing.ts';
import { change } from './draft.ts';
import type { SoundFile } from './sound-file.ts';

/** Puts what was chosen into the library, where it can be played again, by others too. */
export function KeepForm({ file }: { readonly file: SoundFile }) {
  const { announce: words } = texts.value;
  const name = useSignal(file.name.replace(/\.[^.]*$/, ''));
  const part = useSignal<number | undefined>(undefined);
  const fault = useSignal<string | undefined>(undefined);
  const keep = async () => {
    const clip = `${name.value.trim()}.wav`;
    fault.value = undefined;
    part.value = 0;
    try {
      await keepClip(clip, file.wav, (done) => {
        part.value = done;
      });
      change({ sound: 'clip', clip, file: undefined });
    } catch (error) {
      fault.value = shownFault(faultText(error));
    }
    part.value = undefined;
  };
  return (
    <details>
      <summary>{words.keep}</summary>
      <div class="line">
        <label class="field grow">
          <span>{words.clipName}</span>
          <input
            value={name.value}
            maxLength={100}
            autocomplete="off"
            aria-invalid={fault.value !== undefined}
            onInput={({ currentTarget }) => {
              name.value = currentTarget.value;
            }}
            onKeyDown={(event) => {
              if (event.key !== 'Enter') return;
              event.preventDefault();
              void keep();
            }}
          />
        </label>
        <button
          type="button"
          class="low"
          {...permit('Clips.UploadClip')}
          {...((part.value !== undefined || name.value.trim() === '') && { disabled: true })}
          onClick={() => void keep()}
        >
          <Icon name="add" /> {texts.value.save}
        </button>
      </div>
      {part.value !== undefined && <progress aria-label={words.sending} value={part.value} />}
      {fault.value !== undefined && (
        <span class="fault" role="alert">
          {fault.value}
        </span>
      )}
    </details>
  );
}
