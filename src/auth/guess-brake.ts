import type { Clock } from '../clock.ts';

/** Wrong passwords of one user within a second; more are guesses, and guessing has to take time. */
export const maxWrongPerSecond = 10;
const windowUs = 1_000_000;

interface Window {
  readonly startUs: number;
  wrong: number;
}

/** Slows down who guesses the passwords of a user; it keeps as much as there are users. */
export class GuessBrake {
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether another password of this user may be looked at now. */
  lets(user: string): boolean {
    return (this.#windowOf(user)?.wrong ?? 0) < maxWrongPerSecond;
  }

  wasWrong(user: string): void {
    const window = this.#windowOf(user);
    if (window) window.wrong += 1;
    else this.#windows.set(user, { startUs: this.#clock.nowUs(), wrong: 1 });
  }

  /** The window that is still open. */
  #windowOf(user: string): Window | undefined {
    const window = this.#windows.get(user);
    return window && this.#clock.nowUs() - window.startUs < windowUs ? window : undefined;
  }
}
