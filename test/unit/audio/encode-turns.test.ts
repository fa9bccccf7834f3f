import { describe, expect, it } from 'vitest';
import { EncodeTurns } from '../../../src/audio/encode-turns.ts';
import { stall } from '../../support/fake-time.ts';
import { turn } from '../../support/waiting.ts';

describe('turns to encode', () => {
  it('are taken at once while nobody else needs the time', () => {
    const turns = new EncodeTurns();
    let steps = 0;
    turns
      .join(() => {
        steps += 1;
        return steps < 3;
      })
      .request();
    expect(steps).toBe(3);
  });

  it('keep the event loop for one slice, however many streams there are', async () => {
    const turns = new EncodeTurns();
    let steps = 0;
    const all = Array.from({ length: 20 }, () => {
      let left = 5;
      return turns.join(() => {
        stall(1);
        steps += 1;
        left -= 1;
        return left > 0;
      });
    });
    for (const one of all) one.request();
    let most = steps;
    for (let before = steps; steps < 100; before = steps) {
      await turn();
      most = Math.max(most, steps - before);
    }
    expect(most).toBeLessThan(10);
  });

  it('go to who has had least: a stream that needs more than there is delays no other', async () => {
    const turns = new EncodeTurns();
    const served: string[] = [];
    const tookMs = { a: 0, b: 0, c: 0 };
    let longestMs = 0;
    const greedy = (['a', 'b', 'c'] as const).map((name) =>
      turns.join(() => {
        const startMs = performance.now();
        stall(6);
        served.push(name);
        const stepMs = performance.now() - startMs;
        tookMs[name] += stepMs;
        longestMs = Math.max(longestMs, stepMs);
        return true;
      }),
    );
    const modest = turns.join(() => {
      served.push('modest');
      return false;
    });
    for (const one of greedy) one.request();
    for (let round = 0; round < 5; round += 1) {
      for (let turnsLeft = 10; turnsLeft > 0; turnsLeft -= 1) await turn();
      const before = served.length;
      modest.request();
      while (!served.slice(before).includes('modest')) await turn();
      expect(served[before]).toBe('modest');
    }
    for (const one of greedy) one.cancel();
    // On a busy machine a step may take many times as long, and its stream then waits for the others.
    const shares = Object.values(tookMs);
    expect(Math.min(...shares)).toBeGreaterThan(0);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThan(2 * longestMs);
  });

  it('end when they are cancelled, also in the middle of a step', async () => {
    const turns = new EncodeTurns();
    let steps = 0;
    const one = turns.join(() => {
      steps += 1;
      one.cancel();
      return true;
    });
    one.request();
    await turn();
    await turn();
    expect(steps).toBe(1);
  });
});
