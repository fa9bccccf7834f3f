import { vi } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { turn } from './waiting.ts';

const waitMs = 25_000;

/** Time that passes only when a test says so; files, pipes and sockets stay real. */
export class FakeTime implements Clock {
  #nowMs = 100_000;

  static install(): FakeTime {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    return new FakeTime();
  }

  nowUs(): number {
    return this.#nowMs * 1000;
  }

  /** Lets `ms` pass, one by one, with an opportunity for input and output after each. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1) {
      this.#nowMs += 1;
      vi.advanceTimersByTime(1);
      await turn();
    }
  }

  /** This process does not run meanwhile. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Lets input and output go on while time stands still. Failure: rejects after 25 seconds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + waitMs;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
      await turn();
    }
  }

  /** Timers that are set. */
  get timers(): number {
    return vi.getTimerCount();
  }

  remove(): void {
    vi.useRealTimers();
  }
}

/** Keeps the event loop from running, as a server under load does. */
export function stall(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
