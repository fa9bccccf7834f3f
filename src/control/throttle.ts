interface ThrottleOptions {
  readonly intervalMs: number;
  /** Waits for the end of the turn of the event loop, so that what belongs together is one act. */
  readonly isDeferred: boolean;
  readonly act: () => void;
}

/** Acts at once when asked, then at most once per interval; the last wish is always fulfilled. */
export class Throttle {
  readonly #options: ThrottleOptions;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isWanted = false;
  #isStopped = false;

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  ask(): void {
    if (this.#isStopped) return;
    this.#isWanted = true;
    if (this.#timer || this.#immediate) return;
    if (this.#options.isDeferred) this.#immediate = setImmediate(() => this.#run());
    else this.#run();
  }

  /** For good. */
  stop(): void {
    this.#isStopped = true;
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
  }

  #run(): void {
    this.#immediate = undefined;
    this.#timer = undefined;
    if (!this.#isWanted) return;
    this.#isWanted = false;
    this.#timer = setTimeout(() => this.#run(), this.#options.intervalMs).unref();
    this.#options.act();
  }
}
