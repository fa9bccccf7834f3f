import { describe, expect, it } from 'vitest';
import { LoopShare } from '../../../../src/base/time/loop-share.ts';
import { answerInTurn } from '../../../../src/control/rpc-batch.ts';
import { stall } from '../../../support/fake-time.ts';
import { turn, until } from '../../../support/waiting.ts';

/** Work that takes longer than a slice. */
function busy(done: () => void): () => void {
  return () => {
    stall(2);
    done();
  };
}

describe('a share of the event loop', () => {
  it('is over after a slice, and there again in each turn', async () => {
    const share = new LoopShare(5);
    expect(share.isOver).toBe(false);
    stall(6);
    expect(share.isOver).toBe(true);
    await turn();
    await turn();
    expect(share.isOver).toBe(false);
  });

  it('lets the loop sleep as long as nothing waits', async () => {
    await turn();
    const immediates = () =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length;
    const before = immediates();
    const share = new LoopShare(5);
    expect(share.isOver).toBe(false);
    share.soon(() => {});
    stall(6);
    expect(share.isOver).toBe(true);
    expect(immediates()).toBe(before);
    share.later(() => {});
    expect(immediates()).toBe(before + 1);
  });

  it('goes to the work that waits longest, one after the other', async () => {
    const share = new LoopShare(5);
    const order: string[] = [];
    const work = (name: string, times: number) => () => {
      order.push(`${name}${times}`);
      stall(6);
      if (times > 1) share.later(work(name, times - 1));
    };
    for (const name of ['a', 'b', 'c']) share.later(work(name, 2));
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

  it('keeps many batches from holding up the event loop together, also by answers that were waited for', async () => {
    const share = new LoopShare(5);
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
      answerInTurn(Array(10).fill(0), { answer: answers[index % 2] ?? (() => 'x'), turns: share }),
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

  it('has work done at once when there is little of it', () => {
    const share = new LoopShare();
    const done: number[] = [];
    share.soon(() => done.push(1));
    share.soon(() => done.push(2));
    expect(done).toEqual([1, 2]);
    share.finish();
  });

  it('spreads work over turns of the event loop when there is much, in its order', async () => {
    const share = new LoopShare();
    const done: number[] = [];
    for (let i = 0; i < 40; i += 1) share.soon(busy(() => done.push(i)));
    const first = done.length;
    expect(first).toBeLessThan(20);
    await turn();
    const second = done.length;
    expect(second).toBeGreaterThan(first);
    expect(second).toBeLessThan(40);
    share.soon(() => done.push(40));
    expect(done).not.toContain(40);
    await until(() => done.length === 41);
    expect(done).toEqual(Array.from({ length: 41 }, (_, i) => i));
  });

  it('has all work done when it is finished', () => {
    const share = new LoopShare();
    const done: number[] = [];
    for (let i = 0; i < 30; i += 1) share.soon(busy(() => done.push(i)));
    expect(done.length).toBeLessThan(30);
    share.finish();
    expect(done).toHaveLength(30);
  });

  it('lets one function wait once only, and forgets it when it is cancelled', async () => {
    const share = new LoopShare();
    let calls = 0;
    const work = () => {
      calls += 1;
    };
    share.later(work);
    share.later(work);
    await until(() => calls > 0);
    share.later(work);
    share.cancel(work);
    await turn();
    await turn();
    expect(calls).toBe(1);
  });
});
