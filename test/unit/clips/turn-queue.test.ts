import { describe, expect, it } from 'vitest';
import { TurnQueue } from '../../../src/clips/turn-queue.ts';

describe('a queue of turns', () => {
  it('lets so many work, as many wait in their order, and refuses the next', async () => {
    const queue = new TurnQueue({ maxRunning: 2, maxWaiting: 2 });
    const running = [await queue.take(), await queue.take()];
    const begun: string[] = [];
    const waiting = ['first', 'second'].map(async (name) => {
      const end = await queue.take();
      begun.push(name);
      return end;
    });
    await expect(queue.take()).rejects.toThrow('2 others wait already');
    expect(begun).toEqual([]);
    running[0]?.();
    const [first, second] = waiting;
    const endFirst = await first;
    expect(begun).toEqual(['first']);
    endFirst?.();
    const endSecond = await second;
    expect(begun).toEqual(['first', 'second']);
    let isIdle = false;
    const idle = queue.idle().then(() => {
      isIdle = true;
    });
    running[1]?.();
    await Promise.resolve();
    expect(isIdle).toBe(false);
    endSecond?.();
    await idle;
    await queue.idle();
  });

  it('forgets who gives up, and leaves that place to another', async () => {
    const queue = new TurnQueue({ maxRunning: 1, maxWaiting: 1 });
    const end = await queue.take();
    const impatience = new AbortController();
    const given = queue.take(impatience.signal);
    impatience.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await expect(queue.take(impatience.signal)).rejects.toThrow('enough');
    const next = queue.take();
    end();
    (await next)();
    await queue.idle();
  });
});
