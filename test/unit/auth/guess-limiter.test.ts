import { describe, expect, it } from 'vitest';
import { GuessLimiter, maxWindows, maxWrongPerSecond } from '../../../src/auth/guess-limiter.ts';

function exhausted(limiter: GuessLimiter, user: string, address: string): void {
  for (let guess = 0; guess < maxWrongPerSecond; guess += 1) {
    expect(limiter.allows(user, address)).toBe(true);
    limiter.wasWrong(user, address);
  }
  expect(limiter.allows(user, address)).toBe(false);
}

describe('the limiter on guesses', () => {
  it('stops one user at one address until the second is over', () => {
    let nowUs = 5;
    const limiter = new GuessLimiter({ nowUs: () => nowUs });
    exhausted(limiter, 'ann', '192.0.2.1');
    expect(limiter.allows('bob', '192.0.2.1')).toBe(true);
    expect(limiter.allows('ann', '192.0.2.2')).toBe(true);
    nowUs += 999_999;
    expect(limiter.allows('ann', '192.0.2.1')).toBe(false);
    nowUs += 1;
    exhausted(limiter, 'ann', '192.0.2.1');
  });

  it('watches a limited number, and forgets the oldest of more', () => {
    const limiter = new GuessLimiter({ nowUs: () => 5 });
    exhausted(limiter, 'first', 'a');
    exhausted(limiter, 'second', 'a');
    for (let other = 2; other < maxWindows; other += 1) limiter.wasWrong(`user ${other}`, 'a');
    expect(limiter.allows('first', 'a')).toBe(false);
    limiter.wasWrong('one more', 'a');
    expect(limiter.allows('first', 'a')).toBe(true);
    expect(limiter.allows('second', 'a')).toBe(false);
  });

  it('forgets those whose second is over before those whose is not', () => {
    let nowUs = 5;
    const limiter = new GuessLimiter({ nowUs: () => nowUs });
    for (let other = 1; other < maxWindows; other += 1) limiter.wasWrong(`user ${other}`, 'a');
    nowUs += 900_000;
    exhausted(limiter, 'last', 'a');
    nowUs += 100_000;
    for (let other = 1; other < maxWindows; other += 1) limiter.wasWrong(`later ${other}`, 'a');
    expect(limiter.allows('last', 'a')).toBe(false);
  });
});
