import type { Clock } from '../base/clock.ts';
import { cutText } from '../base/foreign-text.ts';
import type { EventSide, SyncEvent } from './sync-message.ts';

/** Of each side, so that a house that joins at one time does not drive out what the source did. */
export const maxEventsOfSide = 128;
const maxTextLength = 200;

export type NewEvent = Omit<SyncEvent, 'number' | 'atUs'>;

/** What has happened lately to sources, server, network and players, on one axis of time. */
export class EventAxis {
  readonly #clock: Clock;
  readonly #sides = new Map<EventSide, SyncEvent[]>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many there were ever; the number of the newest. */
  get count(): number {
    return this.#count;
  }

  add(event: NewEvent | undefined): void {
    if (!event) return;
    this.#count += 1;
    const { text, ...known } = event;
    const events = this.#sides.get(event.side) ?? [];
    this.#sides.set(event.side, events);
    events.push({
      number: this.#count,
      atUs: Math.round(this.#clock.nowUs()),
      ...known,
      ...(text !== undefined && { text: cutText(text, maxTextLength) }),
    });
    if (events.length > maxEventsOfSide) events.shift();
  }

  /** Those with a higher number, in their order. */
  after(number: number): readonly SyncEvent[] {
    if (number >= this.#count) return [];
    return [...this.#sides.values()]
      .flatMap((events) => events.filter((event) => event.number > number))
      .sort((a, b) => a.number - b.number);
  }

  /** Those of one side since then. */
  since(side: EventSide, atUs: number): readonly SyncEvent[] {
    return (this.#sides.get(side) ?? []).filter((event) => event.atUs >= atUs);
  }
}
