import { expect, it } from 'vitest';
import { EventAxis, maxEventsOfSide } from '../../../src/observing/event-axis.ts';

function axis() {
  let nowUs = 0;
  const events = new EventAxis({ nowUs: () => nowUs });
  const pass = (us: number) => {
    nowUs += us;
  };
  return { events, pass };
}

it('tells what is new, in its order', () => {
  const { events, pass } = axis();
  events.add({ side: 'source', what: 'sourceLate', id: 'Radio', value: 300 });
  pass(5);
  events.add({ side: 'player', what: 'joined', id: 'a' });
  events.add(undefined);
  events.add({ side: 'source', what: 'streamIdle', id: 'Radio' });
  expect(events.count).toBe(3);
  expect(events.after(0).map(({ what, atUs }) => [what, atUs])).toEqual([
    ['sourceLate', 0],
    ['joined', 5],
    ['streamIdle', 5],
  ]);
  expect(events.after(2).map(({ what }) => what)).toEqual(['streamIdle']);
  expect(events.after(3)).toEqual([]);
  expect(events.since('source', 1).map(({ what }) => what)).toEqual(['streamIdle']);
});

it('keeps the newest of each side, however much another side does', () => {
  const { events } = axis();
  events.add({ side: 'source', what: 'sourceLate', id: 'Radio', value: 300 });
  for (let index = 0; index < 10 * maxEventsOfSide; index += 1) {
    events.add({ side: 'player', what: 'joined', id: `p${index}` });
  }
  const kept = events.after(0);
  expect(kept).toHaveLength(1 + maxEventsOfSide);
  expect(kept[0]?.what).toBe('sourceLate');
  expect(kept.at(-1)?.number).toBe(events.count);
});

it('keeps no more of a text than one reads', () => {
  const { events } = axis();
  events.add({ side: 'player', what: 'left', id: 'a', text: 'x'.repeat(10_000) });
  expect(events.after(0)[0]?.text?.length).toBeLessThanOrEqual(200);
});
