import { describe, expect, it } from 'vitest';
import { LaterWork } from '../../../src/players/later-work.ts';
import { turn, until } from '../../support/waiting.ts';

/** Work that takes as long as a whole slice. */
function busy(done: () => void): () => void {
  return () => {
    const endMs = performance.now() + 2;
    while (performance.now() < endMs);
    done();
  };
}

describe('work that can wait', () => {
  it('is done at once when there is little of it', () => {
    const work = new LaterWork();
    const done: number[] = [];
    work.add(() => done.push(1));
    work.add(() => done.push(2));
    expect(done).toEqual([1, 2]);
    work.finish();
  });

  it('is spread over turns of the event loop when there is much, in its order', async () => {
    const work = new LaterWork();
    const done: number[] = [];
    for (let i = 0; i < 40; i += 1) work.add(busy(() => done.push(i)));
    const first = done.length;
    expect(first).toBeLessThan(20);
    await turn();
    const second = done.length;
    expect(second).toBeGreaterThan(first);
    expect(second).toBeLessThan(40);
    work.add(() => done.push(40));
    expect(done).not.toContain(40);
    await until(() => done.length === 41);
    expect(done).toEqual(Array.from({ length: 41 }, (_, i) => i));
  });

  it('is all done before the end', () => {
    const work = new LaterWork();
    const done: number[] = [];
    for (let i = 0; i < 30; i += 1) work.add(busy(() => done.push(i)));
    expect(done.length).toBeLessThan(30);
    work.finish();
    expect(done).toHaveLength(30);
  });
});
