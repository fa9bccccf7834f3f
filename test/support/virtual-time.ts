import { vi } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';

interface Timer {
  dueUs: number;
  readonly delayUs: number;
  readonly fire: () => void;
  refresh(): Timer;
}

/** Time that passes from event to event, so that days take seconds; nothing in it is real. */
export class VirtualTime implements Clock {
  readonly #timers = new Set<Timer>();
  #nowUs = 1e9;
  #turns = 0;
  #wokenUs = 0;
  #wakeUps = 0;

  /** Runs `scene` with the timers of this time; it must not wait for anything real. */
  during(scene: () => void): void {
    vi.stubGlobal('setTimeout', (fire: () => void, ms: number) =>
      this.after(ms * 1000, () => {
        this.#wakeUps += Number(this.#nowUs > this.#wokenUs);
        this.#wokenUs = this.#nowUs;
        fire();
      }),
    );
    // Each event has a turn of the event loop of its own. A spy would keep each of millions of calls.
    const restore = [
      replaced(performance, 'now', { value: () => this.#nowUs / 1000 }),
      replaced(performance.nodeTiming, 'uvMetricsInfo', {
        get: () => ({ events: 0, eventsWaiting: 0, loopCount: this.#turns }),
      }),
    ];
    vi.stubGlobal('setImmediate', (fire: () => void) => this.after(0, fire));
    const clear = (timer: Timer | undefined) => {
      if (timer) this.#timers.delete(timer);
    };
    vi.stubGlobal('clearTimeout', clear);
    vi.stubGlobal('clearImmediate', clear);
    try {
      scene();
    } finally {
      for (const put of restore) put();
      vi.unstubAllGlobals();
    }
  }

  /** How often timers of the scene have fired; those that fire at one moment count once. */
  get wakeUps(): number {
    return this.#wakeUps;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  after(delayUs: number, fire: () => void): Timer {
    const timer: Timer = {
      dueUs: this.#nowUs + delayUs,
      delayUs,
      fire,
      refresh: () => {
        timer.dueUs = this.#nowUs + delayUs;
        this.#timers.add(timer);
        return timer;
      },
    };
    this.#timers.add(timer);
    return timer;
  }

  /** Lets everything happen that is due within `us`, in order. */
  pass(us: number): void {
    const endUs = this.#nowUs + us;
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers) if (!next || timer.dueUs < next.dueUs) next = timer;
      if (!next || next.dueUs > endUs) break;
      this.#nowUs = Math.max(this.#nowUs, next.dueUs);
      this.#timers.delete(next);
      this.#turns += 1;
      next.fire();
    }
    this.#nowUs = endUs;
  }
}

/** Gives an object another property of that name; returns what puts the former one back. */
function replaced(target: object, name: string, property: PropertyDescriptor): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { ...property, configurable: true });
  return () => {
    Reflect.deleteProperty(target, name);
    if (own) Object.defineProperty(target, name, own);
  };
}
