import type { Config } from './config.ts';
import { withLiveSettingsOf } from './difference.ts';

/** The configuration in force. Parts read it whenever they use it, so that they follow a reload. */
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
