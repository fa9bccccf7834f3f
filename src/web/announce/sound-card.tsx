import { texts } from '../text/texts.ts';
import type { FormFault } from './announce-fault.ts';
import { repertoire } from './announcing.ts';
import { ClipList } from './clip-list.tsx';
import { change, draft, type SoundKind, sounds } from './draft.ts';
import { FieldFault } from './field-fault.tsx';
import { VoiceChoice } from './voice-choice.tsx';

/** What is to be heard. */
export function SoundCard({ fault }: { readonly fault: FormFault | undefined }) {
  const { announce: words } = texts.value;
  const { sound } = draft.value;
  const hasSpeech = repertoire.value?.speech === true;
  return (
    <fieldset class="card">
      <legend>{words.what}</legend>
      <div class="segments">
        {sounds
          .filter((kind) => kind !== 'text' || hasSpeech)
          .map((kind) => (
            <label key={kind}>
              <input
                type="radio"
                name="sound"
                checked={sound === kind}
                onChange={() => change({ sound: kind })}
              />
              <span>{words.sounds[kind]}</span>
            </label>
          ))}
      </div>
      <Choice kind={sound} />
      <FieldFault of="sound" fault={fault} />
    </fieldset>
  );
}

function Choice({ kind }: { readonly kind: SoundKind }) {
  if (kind === 'clip') return <ClipList />;
  if (kind === 'voice') return <VoiceChoice />;
  if (kind === 'text') return <TextChoice />;
  return (
    <div class="chips">
      {(repertoire.value?.chimes ?? []).map((chime) => (
        <label key={chime} class="chip">
          <input
            type="radio"
            name="chime"
            checked={draft.value.chime === chime}
            onChange={() => change({ chime })}
          />
          <span>{texts.value.announce.chimes[chime] ?? chime}</span>
        </label>
      ))}
    </div>
  );
}

function TextChoice() {
  return (
    <label class="field">
      <span>{texts.value.announce.text}</span>
      <textarea
        rows={3}
        maxLength={5000}
        value={draft.value.text}
        onInput={({ currentTarget }) => change({ text: currentTarget.value })}
      />
    </label>
  );
}
