/** A timer that fires later than this after its time says that this process was away. */
const awayMs = 250;

/**
 * A deadline for a peer: fires when it was not restarted for `delayMs`.
 *
 * When the event loop was away at that moment, busy or suspended, what would have restarted the
 * timer may lie in the kernel unread. Then the whole time begins anew, once.
 */
export class PatientTimer {
  readonly #delayMs: number;
  readonly #fire: () => void;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #isExtended = false;

  constructor(delayMs: number, fire: () => void) {
    this.#delayMs = delayMs;
    this.#fire = fire;
  }

  restart(): void {
    this.#isExtended = false;
    this.#begin();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #begin(): void {
    this.#dueMs = performance.now() + this.#delayMs;
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#onTime(), this.#delayMs);
  }

  #onTime(): void {
    const lateMs = performance.now() - this.#dueMs;
    if (lateMs > awayMs && !this.#isExtended) {
      this.#isExtended = true;
      this.#begin();
    } else {
      this.#fire();
    }
  }
}
