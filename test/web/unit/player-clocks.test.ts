import { describe, expect, it } from 'vitest';
import { OutputClock } from '../../../src/web/player/output-clock.ts';
import { ServerClock } from '../../../src/web/player/server-clock.ts';
import { Random } from '../../support/random.ts';

/** An exchange with a server that is ahead by so much. */
function exchange(
  atMs: number,
  { aheadMs, thereMs = 1, backMs = 1 }: { aheadMs: number; thereMs?: number; backMs?: number },
) {
  const serverMs = atMs + thereMs + aheadMs;
  return {
    sentMs: atMs,
    serverReceivedMs: serverMs,
    serverSentMs: serverMs,
    receivedMs: atMs + thereMs + backMs,
  };
}

describe('the clock of the server', () => {
  it('is not known before there are a few answers', () => {
    const clock = new ServerClock();
    expect(clock.serverMs(0)).toBeNaN();
    for (let at = 0; at < 4; at += 1) {
      expect(clock.isKnown).toBe(false);
      clock.take(exchange(at * 60, { aheadMs: 500 }));
    }
    expect(clock.isKnown).toBe(true);
    expect(clock.serverMs(1000)).toBeCloseTo(1500, 1);
    expect(clock.roundTripMs).toBe(2);
  });

  it('is found between answers of which either the question or the answer was late', () => {
    const clock = new ServerClock();
    const random = new Random(1);
    for (let at = 0; at < 20; at += 1) {
      const lateMs = 5 + 40 * random.next();
      const isThere = random.chance(0.5);
      const [thereMs, backMs] = isThere ? [1 + lateMs, 1] : [1, 1 + lateMs];
      clock.take(exchange(at * 300, { aheadMs: 500, thereMs, backMs }));
    }
    // No round trip was good.
    expect(clock.roundTripMs).toBeGreaterThan(6);
    expect(Math.abs(clock.serverMs(6000) - 6500)).toBeLessThan(0.3);
  });

  it('drifts, and is followed between the answers', () => {
    const clock = new ServerClock();
    const aheadMs = (atMs: number) => 500 + atMs * 100e-6;
    for (let at = 0; at < 60; at += 1) {
      expect(clock.take(exchange(at * 1000, { aheadMs: aheadMs(at * 1000) }))).toBe(false);
    }
    expect(clock.serverMs(65_000)).toBeCloseTo(65_000 + aheadMs(65_000), 1);
  });

  it('is another one when no delay explains what it says', () => {
    const clock = new ServerClock();
    for (let at = 0; at < 20; at += 1) clock.take(exchange(at * 1000, { aheadMs: 500 }));
    // A slow answer is none.
    expect(clock.take(exchange(20_000, { aheadMs: 500, backMs: 2000 }))).toBe(false);
    expect(clock.take(exchange(21_000, { aheadMs: -70_000 }))).toBe(true);
    expect(clock.isKnown).toBe(false);
    for (let at = 22; at < 26; at += 1) {
      expect(clock.take(exchange(at * 1000, { aheadMs: -70_000 }))).toBe(false);
    }
    expect(clock.serverMs(26_000)).toBeCloseTo(-44_000, 1);
  });
});

describe('the clock of the output', () => {
  const latencyMs = 40;
  const nothing = { contextMs: 0, performanceMs: 0 };

  /** Asks for pairs every 20 ms. Returns when it turned out that all was different. */
  function run(
    clock: OutputClock,
    {
      fromMs,
      toMs,
      laterMs = 0,
      spoil = (pair) => pair,
    }: {
      fromMs: number;
      toMs: number;
      laterMs?: number;
      spoil?: (pair: typeof nothing) => typeof nothing | undefined;
    },
  ): number[] {
    const steps: number[] = [];
    for (let nowMs = fromMs; nowMs < toMs; nowMs += 20) {
      const renderedMs = nowMs - laterMs;
      const pair = { contextMs: renderedMs - latencyMs, performanceMs: nowMs };
      const isStep = clock.take(spoil(pair), pair, { nowMs, renderedMs });
      if (isStep) steps.push(nowMs);
    }
    return steps;
  }

  it('goes both ways', () => {
    const clock = new OutputClock();
    expect(clock.performanceMs(0)).toBeNaN();
    expect(run(clock, { fromMs: 1000, toMs: 3000 })).toEqual([]);
    expect(clock.isKnown).toBe(true);
    expect(clock.performanceMs(5000)).toBeCloseTo(5040, 3);
    expect(clock.contextMs(5040)).toBeCloseTo(5000, 3);
  });

  it('does not believe single pairs, but four that agree', () => {
    const clock = new OutputClock();
    run(clock, { fromMs: 1000, toMs: 3000 });
    const isOdd = ({ performanceMs }: typeof nothing) => performanceMs % 100 === 0;
    const spoil = (pair: typeof nothing) =>
      isOdd(pair) ? { ...pair, contextMs: pair.contextMs + 21 } : pair;
    expect(run(clock, { fromMs: 3000, toMs: 5000, spoil })).toEqual([]);
    expect(clock.performanceMs(5000)).toBeCloseTo(5040, 3);
    expect(run(clock, { fromMs: 5000, toMs: 6000, laterMs: 21 })).toEqual([5060]);
    expect(clock.performanceMs(5000)).toBeCloseTo(5061, 3);
  });

  it.each([
    ['says nothing', () => undefined],
    ['says zero', () => nothing],
    ['stands still', () => ({ contextMs: 500, performanceMs: 1000 })],
    [
      'is ahead of what was rendered',
      ({ contextMs, performanceMs }) => ({ contextMs: contextMs + 5000, performanceMs }),
    ],
  ] as [string, (pair: typeof nothing) => typeof nothing | undefined][])(
    'assumes the delay when the browser %s',
    (_, spoil) => {
      const clock = new OutputClock();
      run(clock, { fromMs: 1000, toMs: 4000, spoil });
      expect(clock.isExact).toBe(false);
      expect(clock.performanceMs(5000)).toBeCloseTo(5040, 0);
      expect(run(clock, { fromMs: 4000, toMs: 5000 })).toEqual([4000]);
      expect(clock.isExact).toBe(true);
    },
  );
});
