import { afterEach, expect, it, vi } from 'vitest';
import { LogLimiter, logPauseMs } from '../../../../src/base/time/log-limiter.ts';

afterEach(() => {
  vi.useRealTimers();
});

it('a log limiter lets one line through, and after a pause the next with the number of those in between', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const limiter = new LogLimiter();
  const looks = [0, logPauseMs - 1, 1, 0, logPauseMs].map((passedMs) => {
    vi.advanceTimersByTime(passedMs);
    return limiter.allows() ? limiter.unlogged : 'held back';
  });
  expect(looks).toEqual([0, 'held back', 1, 'held back', 1]);
});
