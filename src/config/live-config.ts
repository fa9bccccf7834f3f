import type { Config } from './config.ts';
import { withLiveSettingsOf } from './difference.ts';

/**
 * The configuration in force. Each part is given `settings`, a function that returns its share of it,
 * and calls that where it uses them: so it follows a reload. What needs a restart is a plain value.
 */
export class LiveConfig {
  #current: Config;

  constructor(config: Config) {
    this.#current = config;
  }

  get current(): Config {
    return this.#current;
  }

  /** What would be in force with `wanted`: settings that need a restart stay as they are. */
  with(wanted: Config): Config {
    return withLiveSettingsOf(wanted, this.#current);
  }

  put(config: Config): void {
    this.#current = config;
  }
}
