import type { SyncEvent } from '../../observing/sync-message.ts';
import { language } from '../settings.ts';
import { syncTexts } from '../text/sync-texts.ts';
import { sayEvent } from './sentences.ts';
import { facts } from './sync-watch.ts';

const shownEvents = 15;

/** The newest first. */
export function EventList({ events }: { readonly events: readonly SyncEvent[] }) {
  const words = syncTexts.value;
  if (events.length === 0) return <p class="hint">{words.noEvents}</p>;
  return (
    <ol class="events">
      {events
        .slice(-shownEvents)
        .reverse()
        .map((event) => (
          <li key={event.number}>
            <span class={`side ${event.side}`} />
            <time class="hint">{clockTime(event.atUs)}</time>
            <span>{sayEvent(event)}</span>
          </li>
        ))}
    </ol>
  );
}

/** On the clock of this device. */
function clockTime(atUs: number): string {
  const date = new Date(Date.now() - (facts.atUs.value - atUs) / 1000);
  return new Intl.DateTimeFormat(language.value, {
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  }).format(date);
}
