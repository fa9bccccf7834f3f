import { expect, it } from 'vitest';
import { ClosingOrder } from '../../../src/app/closing-order.ts';
import { LogLines } from '../../support/log-lines.ts';

const limits = { maxStepMs: 20, maxCloseMs: 30, minStepMs: 5 };
const never = () => new Promise<void>(() => undefined);

it('closes one after the other, also behind one that never closes, which is named', async () => {
  const log = new LogLines();
  const order = new ClosingOrder(log, limits);
  const closed: string[] = [];
  await order.step('first', never, () => ['Kitchen', 'Bath']);
  await order.step('second', async () => void closed.push('second'));
  await order.step('third', () => void closed.push('third'));
  order.finish();
  expect(closed).toEqual(['second', 'third']);
  expect(order.late).toEqual(['first']);
  expect(log.lines).toMatchObject([
    {
      level: 'error',
      phrase: 'does not close in time and is left',
      fields: { part: 'first', held: 'Kitchen, Bath' },
    },
  ]);
});

it('says nothing of what is held where nobody tells', async () => {
  const log = new LogLines();
  await new ClosingOrder(log, limits).step('first', never);
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]?.fields).not.toHaveProperty('held');
});

it('has a bound for the whole, and time for each step behind it', async () => {
  const order = new ClosingOrder(new LogLines(), { ...limits, maxStepMs: 100, maxCloseMs: 100 });
  const startMs = performance.now();
  for (let part = 0; part < 5; part += 1) await order.step(`part ${part}`, never);
  expect(performance.now() - startMs).toBeLessThan(4 * 100);
  let hasClosed = false;
  await order.step('last', async () => {
    await new Promise((resolve) => setImmediate(resolve));
    hasClosed = true;
  });
  expect(hasClosed).toBe(true);
  expect(order.late).toHaveLength(5);
});

it('goes on behind a fault, and tells it in the end', async () => {
  const log = new LogLines();
  const order = new ClosingOrder(log, limits);
  let hasClosed = false;
  await order.step('broken', () => Promise.reject(new Error('a chunk is missing')));
  await order.step('broken, too', () => {
    throw new Error('another one');
  });
  await order.step('sound', () => {
    hasClosed = true;
  });
  expect(hasClosed).toBe(true);
  expect(() => order.finish()).toThrow('a chunk is missing');
  expect(log.with('cannot be closed').map(({ fields }) => fields.part)).toEqual([
    'broken',
    'broken, too',
  ]);
});
