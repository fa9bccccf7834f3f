import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { faultText } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { Icon } from '../parts/icons.tsx';
import { texts } from '../text/texts.ts';
import { type FormFault, fieldOfFault, shownFault } from './announce-fault.ts';
import { repertoire, send } from './announcing.ts';
import { draft, missingIn } from './draft.ts';
import { LoudnessCard } from './loudness-card.tsx';
import { stopPreview } from './preview.ts';
import { Recent } from './recent.tsx';
import { Running } from './running.tsx';
import { SoundCard } from './sound-card.tsx';
import { TargetCard, withoutGone } from './target-card.tsx';
import '../style/announce.css';

export function AnnouncePage() {
  const fault = useSignal<FormFault | undefined>(undefined);
  const sentPart = useSignal<number | undefined>(undefined);
  useEffect(() => stopPreview, []);
  const { announce: words } = texts.value;
  const isBusy = sentPart.value !== undefined;
  const submit = async (event: Event) => {
    event.preventDefault();
    const wanted = withoutGone(draft.peek());
    const missing = missingIn(wanted);
    if (missing) {
      fault.value = { field: missing, text: words.missing[missing] };
      return;
    }
    fault.value = undefined;
    sentPart.value = 0;
    try {
      await send(wanted, (part) => {
        sentPart.value = part;
      });
    } catch (error) {
      const text = faultText(error);
      fault.value = { field: fieldOfFault(text), text: shownFault(text) };
    }
    sentPart.value = undefined;
  };
  return (
    <>
      <form class="column announce" onSubmit={(event) => void submit(event)} noValidate>
        <SoundCard fault={fault.value} />
        <TargetCard fault={fault.value} />
        <LoudnessCard fault={fault.value} usualDuckDb={repertoire.value?.duck_db ?? -15} />
        <div class="send">
          <Running />
          <button
            type="submit"
            class="main"
            {...permit('Announce.Play')}
            {...(isBusy && { disabled: true })}
          >
            <Icon name="announce" /> {words.send}
          </button>
          {isBusy && <progress aria-label={words.sending} value={sentPart.value} />}
          {fault.value && !fault.value.field && (
            <span class="fault" role="alert">
              {fault.value.text}
            </span>
          )}
        </div>
      </form>
      <Recent />
    </>
  );
}
