import { ConfigError } from '../../base/errors.ts';

/**
 * Has the configuration read again on SIGHUP. One that comes while the server starts waits until
 * it has started.
 *
 * To be made early, and for good: without a listener, SIGHUP ends the process.
 */
export class HangUp {
  #reload: (() => Promise<unknown>) | undefined;
  #isPending = false;

  constructor() {
    process.on('SIGHUP', () => this.#onSignal());
  }

  use(reload: () => Promise<unknown>): void {
    this.#reload = reload;
    if (this.#isPending) this.#onSignal();
  }

  #onSignal(): void {
    this.#isPending = this.#reload === undefined;
    // The faults of a configuration are in the log; all others are our own and end the process.
    this.#reload?.().catch((error: unknown) => {
      if (!(error instanceof ConfigError)) throw error;
    });
  }
}
