import { describe, expect, it } from 'vitest';
import { GuessBrake, maxWindows, maxWrongPerSecond } from '../../../src/auth/guess-brake.ts';

function exhausted(brake: GuessBrake, user: string, address: string): void {
  for (let guess = 0; guess < maxWrongPerSecond; guess += 1) {
    expect(brake.lets(user, address)).toBe(true);
    brake.wasWrong(user, address);
  }
  expect(brake.lets(user, address)).toBe(false);
}

describe('the brake on guesses', () => {
  it('stops one user at one address until the second is over', () => {
    let nowUs = 5;
    const brake = new GuessBrake({ nowUs: () => nowUs });
    exhausted(brake, 'ann', '192.0.2.1');
    expect(brake.lets('bob', '192.0.2.1')).toBe(true);
    expect(brake.lets('ann', '192.0.2.2')).toBe(true);
    nowUs += 999_999;
    expect(brake.lets('ann', '192.0.2.1')).toBe(false);
    nowUs += 1;
    exhausted(brake, 'ann', '192.0.2.1');
  });

  it('watches a limited number, and forgets the oldest of more', () => {
    const brake = new GuessBrake({ nowUs: () => 5 });
    exhausted(brake, 'first', 'a');
    exhausted(brake, 'second', 'a');
    for (let other = 2; other < maxWindows; other += 1) brake.wasWrong(`user ${other}`, 'a');
    expect(brake.lets('first', 'a')).toBe(false);
    brake.wasWrong('one more', 'a');
    expect(brake.lets('first', 'a')).toBe(true);
    expect(brake.lets('second', 'a')).toBe(false);
  });

  it('forgets those whose second is over before those whose is not', () => {
    let nowUs = 5;
    const brake = new GuessBrake({ nowUs: () => nowUs });
    for (let other = 1; other < maxWindows; other += 1) brake.wasWrong(`user ${other}`, 'a');
    nowUs += 900_000;
    exhausted(brake, 'last', 'a');
    nowUs += 100_000;
    for (let other = 1; other < maxWindows; other += 1) brake.wasWrong(`later ${other}`, 'a');
    expect(brake.lets('last', 'a')).toBe(false);
  });
});
