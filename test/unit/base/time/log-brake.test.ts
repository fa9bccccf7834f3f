import { afterEach, expect, it, vi } from 'vitest';
import { LogBrake, logPauseMs } from '../../../../src/base/time/log-brake.ts';

afterEach(() => {
  vi.useRealTimers();
});

it('a log brake lets one line through, and after a pause the next with the number of those in between', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const brake = new LogBrake();
  const looks = [0, logPauseMs - 1, 1, 0, logPauseMs].map((passedMs) => {
    vi.advanceTimersByTime(passedMs);
    return brake.lets() ? brake.unlogged : 'held back';
  });
  expect(looks).toEqual([0, 'held back', 1, 'held back', 1]);
});
