import { SampleFormat } from '../audio/sample-format.ts';
import { type Config, camelCase } from '../config/config.ts';
import type { Assignment } from '../config/ini-text.ts';
import { loadConfig } from '../config/load-config.ts';
import { rows } from '../config/schema.ts';
import { ConfigError } from '../errors.ts';

/** What stands for a value of the configuration in a program. */
type OptionValue<Value> = Value extends readonly (infer Item)[]
  ? readonly OptionValue<Item>[]
  : Value extends SampleFormat
    ? SampleFormat | string
    : Value;

/**
 * Every setting of the configuration file, by section and key in camelCase:
 * `{ stream: { codec: 'opus', buffer: 500 }, http: { enabled: false } }`. What is left out has the
 * default of the file, with three exceptions: there is no stream unless one is named or added, the
 * log goes nowhere, and nothing is saved unless `server.datadir` names a folder.
 */
export type ServerOptions = {
  readonly [Name in keyof Config]?: {
    readonly [Key in keyof Config[Name]]?: OptionValue<Config[Name][Key]>;
  };
};

/**
 * Checks options by the rules of the configuration file.
 *
 * Failure: throws one `ConfigError` that lists every fault.
 */
export function configOf(options: ServerOptions): Config {
  refuseUnknown(options);
  const { config } = loadConfig({ searchPaths: [], overrides: assignmentsOf(options) });
  return Object.freeze({
    ...config,
    stream: Object.freeze({ ...config.stream, source: options.stream?.source ?? [] }),
    logging: Object.freeze({ ...config.logging, sink: options.logging?.sink ?? 'null' }),
  });
}

function assignmentsOf(options: ServerOptions): Assignment[] {
  return rows.flatMap(({ section, key }) =>
    valuesOf(valueAt(options, section, key)).map((value) => ({
      section,
      key,
      value: textOf(value),
      origin: `option ${camelCase(section)}.${camelCase(key)}`,
    })),
  );
}

function valueAt(options: ServerOptions, section: string, key: string): unknown {
  const keys: Record<string, unknown> = { ...sectionsOf(options)[camelCase(section)] };
  return keys[camelCase(key)];
}

/** The same object, by names that are only known at run time. */
function sectionsOf(options: ServerOptions): Record<string, object | undefined> {
  return { ...options };
}

function valuesOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function textOf(value: unknown): string {
  return value instanceof SampleFormat ? value.toString() : String(value);
}

function refuseUnknown(options: ServerOptions): void {
  const known = new Set(rows.map(({ section, key }) => `${camelCase(section)}.${camelCase(key)}`));
  const unknown = Object.entries(sectionsOf(options))
    .flatMap(([section, keys]) => Object.keys(keys ?? {}).map((key) => `${section}.${key}`))
    .filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new ConfigError(
      'unknown-option',
      `no such option: ${unknown.join(', ')}; the names are those of the configuration file in camelCase`,
    );
  }
}
