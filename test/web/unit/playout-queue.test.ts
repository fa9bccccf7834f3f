import { describe, expect, it } from 'vitest';
import { PeakHold } from '../../../src/web/live/peak-hold.ts';
import { PlayoutQueue } from '../../../src/web/live/playout-queue.ts';

const timesOf = (entries: readonly { readonly heardUs: number }[]) =>
  entries.map(({ heardUs }) => heardUs);

describe('what waits until it is heard', () => {
  it('comes in the order of its times, when each has come', () => {
    const queue = new PlayoutQueue<{ heardUs: number }>();
    for (const heardUs of [30, 10, 40, 20, 20]) queue.add({ heardUs }, 0);
    expect(queue.nextUs(0)).toBe(10);
    expect(timesOf(queue.take(5))).toEqual([]);
    expect(timesOf(queue.take(20))).toEqual([10, 20, 20]);
    expect(queue.nextUs(20)).toBe(30);
    expect(timesOf(queue.take(1000))).toEqual([30, 40]);
    expect(queue.nextUs(1000)).toBeUndefined();
    expect(queue.take(1000)).toEqual([]);
  });

  it('has no times that cannot be true, and never becomes much', () => {
    const queue = new PlayoutQueue<{ heardUs: number }>();
    queue.add({ heardUs: 61e6 }, 0);
    expect(queue.nextUs(0)).toBeUndefined();
    for (let heardUs = 0; heardUs < 25_000; heardUs += 1) queue.add({ heardUs }, 0);
    expect(queue.take(1e6)).toHaveLength(20_000);
  });
});

describe('what waits when the clock of the server has begun anew', () => {
  it('is waited for no more', () => {
    const queue = new PlayoutQueue<{ heardUs: number }>();
    queue.add({ heardUs: 1e12 }, 1e12);
    expect(queue.nextUs(5e6)).toBeUndefined();
    expect(queue.take(2e12)).toEqual([]);
  });
});

describe('the peak that is held', () => {
  it('stays for a moment, then falls, and follows what is higher at once', () => {
    const hold = new PeakHold();
    expect(hold.take(-6, 0)).toBe(-6);
    expect(hold.take(-30, 1000)).toBe(-6);
    expect(hold.take(-30, 2000)).toBeCloseTo(-16);
    expect(hold.take(-10, 2040)).toBe(-10);
    expect(hold.take(-30, 2500)).toBe(-10);
    expect(hold.take(Number.NEGATIVE_INFINITY, 2540)).toBe(Number.NEGATIVE_INFINITY);
  });
});
