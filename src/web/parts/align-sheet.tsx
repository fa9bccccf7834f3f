import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { attempt } from '../control/actions.ts';
import { permit } from '../control/login.ts';
import { clientName } from '../control/names.ts';
import { house } from '../control/server.ts';
import { texts } from '../text/texts.ts';
import { Icon } from './icons.tsx';
import { Sheet } from './sheet.tsx';

/** In decreasing steps, as one tunes. Units: milliseconds. */
const steps = [-25, -5, -1, 1, 5, 25];
/** What one hears is compared by ticks, below which the music is hardly there. */
const ticks = { chime: 'ticks', repeat: 10, tag: 'align', replace: true, duck: { duck_db: -40 } };
/** A little more than they take, where the server does not say how long that is. */
const longestTicksMs = 65_000;

interface AlignSheetProps {
  /** Of the player. */
  readonly name: string;
  readonly clientId: string | undefined;
  /** How much earlier it plays than it would by itself. */
  readonly valueMs: number;
  /** What else is to be known. */
  readonly hint?: string;
  readonly onChange: (valueMs: number) => void;
  readonly onClose: () => void;
}

/** Has one player play earlier or later, until it is heard together with another one. */
export function AlignSheet({ name, clientId, valueMs, hint, onChange, onClose }: AlignSheetProps) {
  const { align: words } = texts.value;
  const begunMs = useRef(valueMs).current;
  return (
    <Sheet title={words.title(name)} onClose={onClose}>
      <p>{words.hint(name)}</p>
      <AlignSteps valueMs={valueMs} onChange={onChange} />
      {hint && <p class="hint">{hint}</p>}
      {clientId !== undefined && <Ticks clientId={clientId} />}
      <div class="buttons">
        <button
          type="button"
          class="quiet"
          disabled={valueMs === begunMs}
          onClick={() => onChange(begunMs)}
        >
          {words.back(words.ms(begunMs))}
        </button>
        <button type="button" class="main end" onClick={onClose}>
          {words.done}
        </button>
      </div>
    </Sheet>
  );
}

interface AlignStepsProps {
  readonly valueMs: number;
  readonly onChange: (valueMs: number) => void;
}

/** By how much a player plays earlier, and buttons for more and less of it. */
export function AlignSteps({ valueMs, onChange }: AlignStepsProps) {
  const { align: words } = texts.value;
  return (
    <div class="column">
      <div class="line align">
        <span class="hint">{words.laterSide}</span>
        <output class="number wide">{words.ms(valueMs)}</output>
        <span class="hint">{words.earlierSide}</span>
      </div>
      <div class="steps">
        {steps.map((stepMs) => (
          <button
            key={stepMs}
            type="button"
            class="step"
            aria-label={stepMs < 0 ? words.later(-stepMs) : words.earlier(stepMs)}
            onClick={() => onChange(valueMs + stepMs)}
          >
            {words.signed(stepMs)}
          </button>
        ))}
      </div>
    </div>
  );
}

/** Has this player and another one tick. */
function Ticks({ clientId }: { readonly clientId: string }) {
  const { align: words } = texts.value;
  const other = useSignal<string | undefined>(undefined);
  const announcement = useSignal<string | undefined>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const others = house.clients.ids.value
    .flatMap((id) => house.clients.get(id)?.value ?? [])
    .filter(({ id, connected }) => connected && id !== clientId);
  const comparedId = others.find(({ id }) => id === other.value)?.id ?? others[0]?.id;
  const play = async () => {
    const clients = [clientId, ...(comparedId === undefined ? [] : [comparedId])];
    const result = await attempt('Announce.Play', { ...ticks, targets: { clients } });
    if (!result) return;
    announcement.value = String((result as { readonly id: unknown }).id);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      announcement.value = undefined;
    }, longestTicksMs);
  };
  const stop = () => {
    clearTimeout(timer.current);
    const id = announcement.peek();
    if (id !== undefined) void attempt('Announce.Stop', { id });
    announcement.value = undefined;
  };
  useEffect(() => stop, []);
  return (
    <div class="line wrap">
      {comparedId !== undefined && (
        <label class="field grow">
          <span>{words.compare}</span>
          <select
            value={comparedId}
            onChange={({ currentTarget }) => {
              other.value = currentTarget.value;
              if (announcement.peek() !== undefined) void play();
            }}
          >
            {others.map((client) => (
              <option key={client.id} value={client.id}>
                {clientName(client)}
              </option>
            ))}
          </select>
        </label>
      )}
      {announcement.value === undefined ? (
        <button type="button" class="main" {...permit('Announce.Play')} onClick={() => void play()}>
          <Icon name="play" /> {words.ticks}
        </button>
      ) : (
        <button type="button" onClick={stop}>
          <Icon name="pause" /> {words.stopTicks}
        </button>
      )}
    </div>
  );
}
