import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AnnouncementQueue,
  highShareMs,
  holdPlaceMs,
  maxWaiting,
  type Priority,
  priorities,
  type QueuedAnnouncement,
} from '../../../src/announcements/announcement-queue.ts';

const kitchen = new Set(['kitchen']);
const bath = new Set(['bath']);
const both = new Set(['kitchen', 'bath']);

function announcement(
  id: string,
  more: Partial<QueuedAnnouncement> & { readonly atMs?: number } = {},
): QueuedAnnouncement {
  const { atMs = 0, ...rest } = more;
  return {
    id,
    targets: kitchen,
    priority: 'normal',
    acceptedMs: atMs,
    dueMs: atMs,
    expireMs: 60_000,
    ...rest,
  };
}

function queueOf(...announcements: readonly QueuedAnnouncement[]): AnnouncementQueue {
  const queue = new AnnouncementQueue();
  for (const one of announcements) {
    queue.add(one);
    queue.ready(one.id);
  }
  return queue;
}

describe('a queue of announcements', () => {
  it('starts one after the other where they share a target', () => {
    const queue = queueOf(announcement('a'), announcement('b'));
    expect(queue.decide(0).start).toEqual(['a']);
    expect(queue.decide(1).start).toEqual([]);
    queue.remove('a');
    expect(queue.decide(2).start).toEqual(['b']);
  });

  it('starts an urgent one beside what it interrupts, and no earlier than others where it may not', () => {
    const urgent = announcement('b', { priority: 'high', isUrgent: true });
    const queue = queueOf(announcement('a'));
    expect(queue.decide(0).start).toEqual(['a']);
    queue.add(urgent);
    queue.ready('b');
    expect(queue.decide(1)).toMatchObject({ start: ['b'], interrupt: ['a'] });
    queue.remove('a');
    queue.add({ ...urgent, id: 'c' });
    queue.ready('c');
    expect(queue.decide(2)).toMatchObject({ start: [], interrupt: [] });
    expect(queue.decide(1 + highShareMs)).toMatchObject({ start: ['c'], interrupt: ['b'] });
  });

  it('starts all that share no target at once', () => {
    const queue = queueOf(announcement('a'), announcement('b', { targets: bath }));
    expect(queue.decide(0).start).toEqual(['a', 'b']);
  });

  it('lets no later one overtake one that waits for two targets', () => {
    const queue = queueOf(
      announcement('a'),
      announcement('b', { targets: both }),
      announcement('c', { targets: bath }),
    );
    expect(queue.decide(0).start).toEqual(['a']);
    queue.remove('a');
    expect(queue.decide(1).start).toEqual(['b']);
  });

  it.each<[Priority, Priority, boolean]>([
    ['low', 'normal', false],
    ['low', 'high', true],
    ['normal', 'high', true],
    ['normal', 'low', false],
    ['high', 'high', false],
    ['high', 'low', false],
  ])(
    'while one of %s priority plays, %s interrupts at once: %s',
    (playing, comes, isInterrupting) => {
      const queue = queueOf(announcement('a', { priority: playing }));
      queue.decide(0);
      queue.add(announcement('b', { priority: comes }));
      queue.ready('b');
      expect(queue.decide(1)).toMatchObject({ start: [], interrupt: isInterrupting ? ['a'] : [] });
      expect(queue.decide(2).interrupt).toEqual([]);
      queue.remove('a');
      expect(queue.decide(3).start).toEqual(['b']);
    },
  );

  it('lets a high one interrupt a high one that has had its share, and says when that will be', () => {
    const queue = queueOf(
      announcement('a', { priority: 'high' }),
      announcement('b', { priority: 'high' }),
    );
    expect(queue.decide(5)).toMatchObject({ start: ['a'], nextMs: 5 + highShareMs });
    expect(queue.decide(4 + highShareMs).interrupt).toEqual([]);
    expect(queue.decide(5 + highShareMs).interrupt).toEqual(['a']);
  });

  it('keeps the place of one whose audio is on its way for a while, then lets others pass', () => {
    const queue = new AnnouncementQueue();
    queue.add(announcement('a'));
    queue.add(announcement('b'));
    queue.ready('b');
    expect(queue.decide(0)).toMatchObject({ start: [], nextMs: holdPlaceMs });
    expect(queue.decide(holdPlaceMs).start).toEqual(['b']);
    queue.remove('b');
    queue.ready('a');
    expect(queue.decide(holdPlaceMs + 1).start).toEqual(['a']);
  });

  it('starts one with a time at that time', () => {
    const queue = queueOf(announcement('a', { dueMs: 500 }), announcement('b'));
    expect(queue.decide(0)).toMatchObject({ start: ['b'], nextMs: 500 });
    queue.remove('b');
    expect(queue.decide(500).start).toEqual(['a']);
  });

  it('drops what has waited too long', () => {
    const queue = queueOf(announcement('a'), announcement('b', { expireMs: 100 }));
    expect(queue.decide(0)).toMatchObject({ start: ['a'], nextMs: 100 });
    expect(queue.decide(100).expire).toEqual(['b']);
    expect(queue.size).toBe(1);
  });

  it('names the target that has no room for one more', () => {
    const waiting = Array.from({ length: maxWaiting + 1 }, (_, index) => announcement(`${index}`));
    const queue = queueOf(...waiting);
    queue.decide(0);
    expect(queue.fullTarget(both)).toBe('kitchen');
    expect(queue.fullTarget(bath)).toBeUndefined();
    queue.remove('1');
    expect(queue.fullTarget(both)).toBeUndefined();
  });

  it('knows what waits under a tag, not what plays', () => {
    const tag = 'door';
    const queue = queueOf(
      announcement('a', { tag }),
      announcement('b', { tag }),
      announcement('c', { tag, targets: bath }),
      announcement('d'),
    );
    queue.decide(0);
    expect(queue.waitingWith(tag, kitchen)).toEqual(['b']);
  });
});

const rooms = ['a', 'b', 'c'];
const arrival = fc.record({
  afterMs: fc.nat({ max: 4000 }),
  fetchMs: fc.oneof(fc.constant(0), fc.nat({ max: 8000 })),
  playMs: fc.integer({ min: 1, max: 15_000 }),
  targets: fc.subarray(rooms, { minLength: 1 }),
  priority: fc.constantFrom(...priorities),
  delayMs: fc.oneof(fc.constant(0), fc.nat({ max: 5000 })),
  expireMs: fc.integer({ min: 1, max: 30_000 }),
});
type Arrival = typeof arrival extends fc.Arbitrary<infer T> ? T : never;

/** Plays all arrivals to their ends in virtual time, checking each decision. */
function simulate(arrivals: readonly Arrival[]): ReadonlyMap<string, string> {
  const queue = new AnnouncementQueue();
  const known = new Map<string, QueuedAnnouncement>();
  const ready = new Set<string>();
  const playing = new Map<string, { readonly sinceMs: number; readonly isInterrupted: boolean }>();
  const outcome = new Map<string, string>();
  const events: { readonly atMs: number; readonly act: () => void }[] = [];
  const waits = (id: string) => !playing.has(id) && !outcome.has(id);
  let nowMs = 0;
  const end = (id: string, how: string) => {
    if (!playing.delete(id)) return;
    queue.remove(id);
    outcome.set(id, how);
  };
  const meets = (a: string, b: string) =>
    [...known.get(a)!.targets].some((target) => known.get(b)!.targets.has(target));
  const rank = (id: string) => priorities.indexOf(known.get(id)!.priority);
  arrivals.forEach(({ targets, afterMs, delayMs, fetchMs, playMs: _, ...rest }, index) => {
    const id = String(index);
    const atMs = arrivals.slice(0, index + 1).reduce((sum, one) => sum + one.afterMs, 0);
    const one = { ...rest, id, acceptedMs: atMs, dueMs: atMs + delayMs, targets: new Set(targets) };
    const arrive = () => {
      known.set(id, one);
      queue.add(one);
    };
    const bring = () => {
      ready.add(id);
      queue.ready(id);
    };
    events.push({ atMs, act: arrive }, { atMs: atMs + fetchMs, act: bring });
  });
  for (let turns = 0; events.length > 0; turns += 1) {
    expect(turns).toBeLessThan(100 * (arrivals.length + 1));
    events.sort((a, b) => a.atMs - b.atMs);
    const { atMs, act } = events.shift()!;
    nowMs = Math.max(nowMs, atMs);
    act();
    const { start, interrupt, expire, nextMs } = queue.decide(nowMs);
    for (const id of expire) {
      const { dueMs, expireMs } = known.get(id)!;
      expect(nowMs).toBeGreaterThanOrEqual(dueMs + expireMs);
      outcome.set(id, 'expired');
    }
    for (const id of interrupt) {
      const { sinceMs, isInterrupted } = playing.get(id)!;
      expect(isInterrupted).toBe(false);
      const byHigh = [...known.keys()].some((by) => waits(by) && rank(by) === 2 && meets(by, id));
      expect(byHigh).toBe(true);
      if (rank(id) === 2) expect(nowMs).toBeGreaterThanOrEqual(sinceMs + highShareMs);
      playing.set(id, { sinceMs, isInterrupted: true });
      events.push({ atMs: nowMs + 50, act: () => end(id, 'interrupted') });
    }
    for (const id of start) {
      expect(ready.has(id)).toBe(true);
      expect(known.get(id)!.dueMs).toBeLessThanOrEqual(nowMs);
      expect([...playing.keys()].filter((other) => meets(other, id))).toEqual([]);
      const passedOver = [...known.keys()].filter(
        (other) =>
          waits(other) &&
          ready.has(other) &&
          !start.includes(other) &&
          known.get(other)!.dueMs <= nowMs &&
          meets(other, id) &&
          (rank(other) > rank(id) || (rank(other) === rank(id) && Number(other) < Number(id))),
      );
      expect(passedOver).toEqual([]);
      playing.set(id, { sinceMs: nowMs, isInterrupted: false });
      events.push({ atMs: nowMs + arrivals[Number(id)]!.playMs, act: () => end(id, 'done') });
    }
    if (nextMs !== undefined) {
      expect(nextMs).toBeGreaterThan(nowMs);
      if (!events.some(({ atMs }) => atMs <= nextMs)) events.push({ atMs: nextMs, act: () => {} });
    }
  }
  expect(queue.size).toBe(0);
  return outcome;
}

describe('any announcements at any time', () => {
  it('never overlap on a target, keep their order, and all come to an end', () => {
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 30 }), (arrivals) => {
        expect(simulate(arrivals).size).toBe(arrivals.length);
      }),
      { numRuns: 300 },
    );
  });

  it('are all played when none is high and none expires', () => {
    const patient = arrival.map((one) => ({
      ...one,
      priority: one.priority === 'high' ? ('normal' as const) : one.priority,
      expireMs: 1e9,
    }));
    fc.assert(
      fc.property(fc.array(patient, { maxLength: 20 }), (arrivals) => {
        expect([...simulate(arrivals).values()].every((how) => how === 'done')).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
