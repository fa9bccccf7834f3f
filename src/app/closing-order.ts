import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { within } from '../base/time/within.ts';

interface ClosingLimits {
  /** For one step, while the whole has time left. */
  readonly maxStepMs: number;
  readonly maxCloseMs: number;
  /** What every step has, also when the time of the whole is over. */
  readonly minStepMs: number;
}

/** All together they take less than the service manager waits (`TimeoutStopSec`). */
const usualLimits: ClosingLimits = { maxStepMs: 5000, maxCloseMs: 12_000, minStepMs: 1000 };

/**
 * Closes one part after the other, and waits for none of them without end: what comes later, saving
 * above all, takes place all the same.
 */
export class ClosingOrder {
  readonly #logger: Logger;
  readonly #limits: ClosingLimits;
  readonly #startMs = performance.now();
  readonly #late: string[] = [];
  #fault: unknown;

  constructor(logger: Logger, limits: Partial<ClosingLimits> = {}) {
    this.#logger = logger;
    this.#limits = { ...usualLimits, ...limits };
  }

  /** What was not waited for any longer. */
  get late(): readonly string[] {
    return this.#late;
  }

  /** Shape: `held` names what is still open. Failure: none; `finish` throws what `close` threw. */
  async step(
    what: string,
    close: () => unknown,
    held: () => readonly string[] = () => [],
  ): Promise<void> {
    const { maxStepMs, maxCloseMs, minStepMs } = this.#limits;
    const leftMs = this.#startMs + maxCloseMs - performance.now();
    const waitMs = Math.max(minStepMs, Math.min(maxStepMs, leftMs));
    if (await within(this.#closed(what, close), waitMs)) return;
    this.#late.push(what);
    const names = held();
    this.#logger.error('does not close in time and is left', {
      part: what,
      waitedMs: Math.round(waitMs),
      ...(names.length > 0 && { held: names.join(', ') }),
    });
  }

  /** Failure: throws the first fault of a step. */
  finish(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  async #closed(what: string, close: () => unknown): Promise<'closed'> {
    try {
      await close();
    } catch (error) {
      this.#logger.error('cannot be closed', { part: what, reason: messageOf(error) });
      this.#fault ??= error;
    }
    return 'closed';
  }
}
