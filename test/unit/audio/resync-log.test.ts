import { expect, it } from 'vitest';
import { ResyncLog } from '../../../src/audio/resync-log.ts';
import { LogLines } from '../../support/log-lines.ts';

it('tells of five jumps at once, then of one a minute, and how many it did not tell of', () => {
  const lines = new LogLines();
  const log = new ResyncLog(lines, 'A');
  for (let second = 0; second < 130; second += 1) log.tell('a jump', { second }, second * 1000);
  expect(lines.lines.map(({ fields }) => fields)).toEqual([
    ...[0, 1, 2, 3, 4].map((second) => ({ stream: 'A', second })),
    { stream: 'A', second: 60, unlogged: 55 },
    { stream: 'A', second: 120, unlogged: 59 },
  ]);
});

it('tells of five at once again after five quiet minutes, and of no more after ten', () => {
  const lines = new LogLines();
  const log = new ResyncLog(lines, 'A');
  for (const minute of [0, 5, 15]) {
    for (let jump = 0; jump < 7; jump += 1) log.tell('a jump', { minute }, minute * 60_000);
  }
  expect(lines.lines.map(({ fields }) => fields.minute)).toEqual(
    [0, 5, 15].flatMap((minute) => Array(5).fill(minute)),
  );
  expect(lines.lines.map(({ fields }) => fields.unlogged).filter(Number)).toEqual([2, 2]);
});
