import { expect, it } from 'vitest';
import { SharedTurns } from '../../../../src/base/time/shared-turns.ts';
import { answerInTurn } from '../../../../src/control/rpc-batch.ts';
import { stall } from '../../../support/fake-time.ts';
import { turn } from '../../../support/waiting.ts';

it('give way to others after a slice, and again in each turn', async () => {
  const turns = new SharedTurns(5);
  expect(turns.isOver).toBe(false);
  stall(6);
  expect(turns.isOver).toBe(true);
  await turn();
  await turn();
  expect(turns.isOver).toBe(false);
});

it('are taken one after the other, by whoever waits longest', async () => {
  const turns = new SharedTurns(5);
  const order: string[] = [];
  const work = (name: string, times: number) => () => {
    order.push(`${name}${times}`);
    stall(6);
    if (times > 1) turns.later(work(name, times - 1));
  };
  for (const name of ['a', 'b', 'c']) turns.later(work(name, 2));
  const lengths: number[] = [];
  for (let count = 0; count < 20; count += 1) {
    await turn();
    lengths.push(order.length);
  }
  expect(order).toEqual(['a2', 'b2', 'c2', 'a1', 'b1', 'c1']);
  // One at a time: each has used up the slice.
  for (const [index, length] of lengths.entries()) {
    expect(length - (lengths[index - 1] ?? 0)).toBeLessThan(2);
  }
});

it('keep many batches from holding up the event loop together, also by answers that were waited for', async () => {
  const turns = new SharedTurns(5);
  let answered = 0;
  const answers = [
    () => {
      answered += 1;
      stall(1);
      return 'x';
    },
    async () => {
      answered += 1;
      stall(1);
      return 'x';
    },
  ];
  const batches = Array.from({ length: 20 }, (_, index) =>
    answerInTurn(Array(10).fill(0), { answer: answers[index % 2] ?? (() => 'x'), turns }),
  );
  let most = 0;
  for (let before = answered; answered < 200; before = answered) {
    await turn();
    most = Math.max(most, answered - before);
  }
  // Two slices at most, as a turn of the test is not quite one of the loop.
  expect(most).toBeLessThan(30);
  for (const text of await Promise.all(batches)) {
    expect(text).toBe('[x,x,x,x,x,x,x,x,x,x]');
  }
});
