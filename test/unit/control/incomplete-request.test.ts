import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  freeBytes,
  IncompleteRequest,
  maxRequestMs,
} from '../../../src/control/incomplete-request.ts';
import { RequestBudget } from '../../../src/control/request-budget.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function incomplete(budget = new RequestBudget({ maxIncompleteBytes: 100_000 })) {
  const state = { isReading: true, overdue: 0 };
  const request = new IncompleteRequest({
    budget,
    isReading: () => state.isReading,
    onOverdue: () => {
      state.overdue += 1;
    },
  });
  return { request, budget, state };
}

describe('a request that is not complete', () => {
  it('takes from the common memory what it needs beyond its own', () => {
    const { request, budget } = incomplete();
    expect(request.hold(freeBytes)).toBe(true);
    expect(budget.takenBytes).toBe(0);
    expect(request.hold(freeBytes + 60_000)).toBe(true);
    expect(request.hold(freeBytes + 50_000)).toBe(true);
    expect(budget.takenBytes).toBe(50_000);
    const other = incomplete(budget).request;
    expect(other.hold(freeBytes + 50_001)).toBe(false);
    expect(other.hold(freeBytes + 50_000)).toBe(true);
    request.end();
    other.end();
    expect(budget.takenBytes).toBe(0);
  });

  it('is overdue after its time, unless its peer is not listened to', () => {
    const { request, state } = incomplete();
    request.hold(1);
    state.isReading = false;
    vi.advanceTimersByTime(maxRequestMs);
    expect(state.overdue).toBe(0);
    state.isReading = true;
    vi.advanceTimersByTime(maxRequestMs);
    expect(state.overdue).toBe(1);
  });

  it('has all its time anew behind one that was completed', () => {
    const { request, state } = incomplete();
    request.hold(1);
    vi.advanceTimersByTime(maxRequestMs - 1);
    request.complete();
    request.hold(1);
    vi.advanceTimersByTime(maxRequestMs - 1);
    expect(state.overdue).toBe(0);
    request.hold(0);
    vi.advanceTimersByTime(maxRequestMs);
    expect(state.overdue).toBe(0);
  });
});
