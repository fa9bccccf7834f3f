import { describe, expect, it } from 'vitest';
import { inSlices } from '../../../../src/base/time/in-slices.ts';

function workFor(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

/** Turns of the event loop that pass until so many works of 20 ms are done. */
async function turnsOf(works: number): Promise<number> {
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(Array.from({ length: works }, () => inSlices(20, () => workFor(1))));
  isDone = true;
  return turns;
}

describe('work in slices', () => {
  it('takes as many more turns of the event loop as there is more of it', async () => {
    await inSlices(1, () => workFor(1));
    expect(await turnsOf(10)).toBeGreaterThan(3 * (await turnsOf(1)));
  });

  it('that is short does not wait for what is long', async () => {
    const ended: string[] = [];
    const work = (name: string, times: number) =>
      inSlices(times, () => workFor(1)).then(() => ended.push(name));
    await Promise.all([work('long', 60), work('longer', 80), work('short', 3)]);
    expect(ended).toEqual(['short', 'long', 'longer']);
  });

  it('does every step once, in order, and nothing more behind one that fails', async () => {
    const steps: number[] = [];
    const take = () => void steps.push(steps.length);
    await inSlices(1000, take);
    await inSlices(0, take);
    expect(steps).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    const failing = inSlices(10, () => {
      take();
      if (steps.length > 1003) throw new Error('no more');
    });
    await expect(failing).rejects.toThrow('no more');
    expect(steps).toHaveLength(1004);
  });
});
