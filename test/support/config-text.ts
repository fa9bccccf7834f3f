import { expect } from 'vitest';
import { ConfigError } from '../../src/base/errors.ts';
import type { Assignment } from '../../src/config/ini-text.ts';
import { type ConfigInputs, loadConfig } from '../../src/config/load-config.ts';

/** Loads a configuration without any file. */
export const withoutFile: ConfigInputs = { searchPaths: [] };

/** Loads `text` as the file `my.conf`. */
export function loadText(text: string | Uint8Array, more: ConfigInputs = {}) {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return loadConfig({ file: 'my.conf', readFile: () => bytes, ...more });
}

/** The message of the `ConfigError` that `load` must throw. */
export function faultsOf(load: () => unknown): string {
  try {
    load();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ConfigError);
    return (thrown as ConfigError).message;
  }
  throw new Error('nothing was thrown');
}

/** What the command line makes of `--name=value`. */
export function option(name: string, value: string): Assignment {
  const [section = '', key = ''] = name.split('.');
  return { section, key, value, origin: `option --${name}` };
}
