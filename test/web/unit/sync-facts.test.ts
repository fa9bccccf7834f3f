import { expect, it } from 'vitest';
import type { PlayerFacts } from '../../../src/observing/sync-message.ts';
import { historyLooks, SyncFacts } from '../../../src/web/sync/sync-facts.ts';

const facts = (id: string, more: Partial<PlayerFacts> = {}): PlayerFacts => ({
  id,
  stream: 'Radio',
  transport: 'tcp',
  verdict: { who: 'nobody', level: 'good', because: [] },
  backlogMs: 0,
  skippedChunks: 0,
  ...more,
});

it('puts those at fault in front, and else keeps the order', () => {
  const known = new SyncFacts();
  known.take({
    atUs: 1,
    verdicts: [
      ['a', 'nobody', 'good'],
      ['b', 'network', 'watch'],
      ['c', 'nobody', 'good'],
      ['d', 'player', 'bad'],
    ],
  });
  const order = () => known.judged.value.map(({ id }) => id).join('');
  expect(order()).toBe('dbac');
  known.take({ atUs: 2, verdicts: [['c', 'source', 'bad']], gone: ['d'] });
  expect(order()).toBe('cba');
  known.take({ atUs: 3, isFirst: true, verdicts: [['e', 'nobody', 'good']] });
  expect(order()).toBe('e');
});

it('keeps a minute of each player, with gaps where nothing was measured', () => {
  const known = new SyncFacts();
  const player = known.player('a');
  expect(player.value).toBeUndefined();
  const verdicts = [['a', 'nobody', 'good']] as const;
  known.take({ atUs: 0, verdicts, players: [facts('a', { roundTripMs: 2 })] });
  // What has not changed is not told again.
  known.take({ atUs: 1 });
  known.take({ atUs: 2, players: [facts('a', { queueMs: 30, backlogMs: 20 })] });
  expect(player.value?.roundTripMs).toEqual([2, 2, undefined]);
  expect(player.value?.waitingMs).toEqual([undefined, undefined, 50]);
  for (let second = 3; second < 200; second += 1) known.take({ atUs: second });
  expect(player.value?.waitingMs).toHaveLength(historyLooks);
  known.take({ atUs: 200, gone: ['a'] });
  expect(player.value).toBeUndefined();
});

it('keeps the newest events, and no more of them than one reads', () => {
  const known = new SyncFacts();
  for (let number = 1; number <= 2000; number += 1) {
    known.take({
      atUs: number,
      events: [{ number, atUs: number, side: 'player', what: 'joined' }],
    });
  }
  expect(known.events.value.length).toBeLessThanOrEqual(400);
  expect(known.events.value.at(-1)?.number).toBe(2000);
});
