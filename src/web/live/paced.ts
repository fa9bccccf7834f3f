/** Calls at once, and then no more often than every so many milliseconds; the last call is never lost. */
export class Paced {
  readonly #everyMs: number;
  readonly #call: () => void;
  #calledMs = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(everyMs: number, call: () => void) {
    this.#everyMs = everyMs;
    this.#call = call;
  }

  ask(): void {
    if (this.#timer !== undefined) return;
    const waitMs = this.#calledMs + this.#everyMs - performance.now();
    if (waitMs <= 0) this.#run();
    else this.#timer = setTimeout(() => this.#run(), waitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    this.#timer = undefined;
    this.#calledMs = performance.now();
    this.#call();
  }
}
