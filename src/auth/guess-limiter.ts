import type { Clock } from '../base/clock.ts';

/** Wrong passwords of one user within a second; more are guesses, and guessing has to take time. */
export const maxWrongPerSecond = 10;
const windowUs = 1_000_000;
/** Users times addresses that guess within one second; beyond it the oldest may begin anew. */
export const maxWindows = 10_000;

interface Window {
  readonly startUs: number;
  wrong: number;
}

/** Slows down a peer that guesses the passwords of a user, and no peer at another address. */
export class GuessLimiter {
  readonly #clock: Clock;
  /** By user and address, oldest first. */
  readonly #windows = new Map<string, Window>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether another password of this user may be looked at now. */
  allows(user: string, address: string): boolean {
    return (this.#windowOf(keyOf(user, address))?.wrong ?? 0) < maxWrongPerSecond;
  }

  wasWrong(user: string, address: string): void {
    const key = keyOf(user, address);
    const window = this.#windowOf(key);
    if (window) window.wrong += 1;
    else this.#begin(key);
  }

  #begin(key: string): void {
    this.#windows.delete(key);
    for (const [oldest] of this.#windows) {
      if (this.#windowOf(oldest) && this.#windows.size < maxWindows) break;
      this.#windows.delete(oldest);
    }
    this.#windows.set(key, { startUs: this.#clock.nowUs(), wrong: 1 });
  }

  /** The window that is still open. */
  #windowOf(key: string): Window | undefined {
    const window = this.#windows.get(key);
    return window && this.#clock.nowUs() - window.startUs < windowUs ? window : undefined;
  }
}

/** An address has no space. */
function keyOf(user: string, address: string): string {
  return `${address} ${user}`;
}
