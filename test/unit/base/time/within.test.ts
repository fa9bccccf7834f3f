import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { within } from '../../../../src/base/time/within.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a promise within a time', () => {
  it('gives what it resolves to, and leaves no timer behind', async () => {
    expect(await within(Promise.resolve(7), 1000)).toBe(7);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('throws what it rejects with, and leaves no timer behind', async () => {
    await expect(within(Promise.reject(new Error('no')), 1000)).rejects.toThrow('no');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives nothing when the time is up, and may reject later unheard', async () => {
    let reject: (error: Error) => void = () => undefined;
    const late = within(
      new Promise<number>((_resolve, fail) => {
        reject = fail;
      }),
      1000,
    );
    await vi.advanceTimersByTimeAsync(999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await late).toBeUndefined();
    reject(new Error('too late'));
  });
});
