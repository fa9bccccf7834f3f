import { flagOf, numberOf, type StreamParameters } from '../stream-parameters.ts';

const lingerRange = { fallback: 30_000, min: 0, max: 3_600_000, unit: 'ms' };

/** What runs while there is somebody who listens: a program, a connection. */
interface Demanded {
  /** Begins; called again after each `stop`. */
  start(): void;
  /** Ends; resolves when nothing of it is left. */
  stop(): Promise<void>;
}

/**
 * For how long what a stream needs goes on when the last listener has left, milliseconds; `undefined`
 * when it runs whether there is a listener or not: `on_demand` and `linger_ms` of its address.
 */
export function lingerMsOf(parameters: StreamParameters, isUsual = false): number | undefined {
  const lingerMs = numberOf(parameters, 'linger_ms', lingerRange);
  return flagOf(parameters, 'on_demand', isUsual) ? lingerMs : undefined;
}

/** Starts and stops what a source needs as its listeners come and go, one after the other. */
export class Demand {
  readonly #lingerMs: number | undefined;
  readonly #demanded: Demanded;
  #isOpen = false;
  #isListened = false;
  #isWanted = false;
  #isRunning = false;
  #isChanging = false;
  #changing = Promise.resolve();
  #lingering: NodeJS.Timeout | undefined;

  /** `lingerMs` as `lingerMsOf` says. */
  constructor(lingerMs: number | undefined, demanded: Demanded) {
    this.#lingerMs = lingerMs;
    this.#demanded = demanded;
  }

  open(): void {
    this.#isOpen = true;
    if (this.#lingerMs === undefined || this.#isListened) this.#want(true);
  }

  listen(isListened: boolean): void {
    if (isListened === this.#isListened) return;
    this.#isListened = isListened;
    clearTimeout(this.#lingering);
    if (!this.#isOpen || this.#lingerMs === undefined) return;
    if (isListened) this.#want(true);
    else this.#lingering = setTimeout(() => this.#want(false), this.#lingerMs);
  }

  /** Resolves when nothing runs any more, for good. */
  async close(): Promise<void> {
    this.#isOpen = false;
    clearTimeout(this.#lingering);
    this.#want(false);
    await this.#changing;
  }

  #want(isWanted: boolean): void {
    this.#isWanted = isWanted;
    if (!this.#isChanging) this.#changing = this.#change();
  }

  async #change(): Promise<void> {
    this.#isChanging = true;
    while (this.#isRunning !== this.#isWanted) {
      this.#isRunning = this.#isWanted;
      if (this.#isRunning) this.#demanded.start();
      else await this.#demanded.stop();
    }
    this.#isChanging = false;
  }
}
