import { signal } from '@preact/signals';
import type { EventSide, SyncEvent } from '../../observing/sync-message.ts';
import { syncTexts } from '../text/sync-texts.ts';
import { EventList } from './event-list.tsx';
import { sayEvent } from './sentences.ts';
import { facts } from './sync-watch.ts';

const sides: readonly EventSide[] = ['source', 'server', 'network', 'player', 'house'];
const spans = [1, 10] as const;
/** Units: minutes. */
const span = signal<(typeof spans)[number]>(1);

/** What has happened to source, server, network and players, on one axis of time. */
export function EventAxisCard() {
  const words = syncTexts.value;
  const lengthUs = span.value * 60e6;
  const nowUs = facts.atUs.value;
  const events = facts.events.value.filter(({ atUs }) => atUs > nowUs - lengthUs);
  return (
    <section class="card" aria-label={words.events}>
      <div class="line">
        <h2>{words.events}</h2>
        <select
          class="end span"
          aria-label={words.span}
          value={span.value}
          onChange={({ currentTarget }) => {
            span.value = Number(currentTarget.value) === 10 ? 10 : 1;
          }}
        >
          {spans.map((minutes) => (
            <option key={minutes} value={minutes}>
              {words.minutes(minutes)}
            </option>
          ))}
        </select>
      </div>
      <div class="axis" aria-hidden="true">
        {sides.map((side) => (
          <div key={side} class="lane">
            <span class="hint cut">{words.sides[side]}</span>
            <span class="lane-time">
              {events
                .filter((event) => event.side === side)
                .map((event) => (
                  <Mark key={event.number} event={event} part={(nowUs - event.atUs) / lengthUs} />
                ))}
            </span>
          </div>
        ))}
      </div>
      <EventList events={events} />
    </section>
  );
}

/** `part` of the axis ago. */
function Mark({ event, part }: { readonly event: SyncEvent; readonly part: number }) {
  const place = `${(100 * (1 - part)).toFixed(2)}%`;
  return (
    <span
      class={`side ${event.side}`}
      style={{ insetInlineStart: place }}
      title={sayEvent(event)}
    />
  );
}
