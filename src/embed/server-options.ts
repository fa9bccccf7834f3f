import { SampleFormat } from '../audio/sample-format.ts';
import { ConfigError } from '../base/errors.ts';
import { type Config, camelCase } from '../config/config.ts';
import type { Assignment } from '../config/ini-text.ts';
import { type LoadedConfig, loadConfig } from '../config/load-config.ts';
import { type Row, rows } from '../config/schema.ts';

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
 * Checks options by the rules of the configuration file; `undefined` counts as left out.
 *
 * Failure: throws one `ConfigError` that lists every fault: first of names and types, then of values.
 */
export function configOf(options: ServerOptions): Pick<LoadedConfig, 'config' | 'warnings'> {
  refuseWrongShape(options);
  const loaded = loadConfig({ searchPaths: [], overrides: assignmentsOf(options) });
  const { stream, logging, ...rest } = loaded.config;
  const source = options.stream?.source?.length ? stream.source : [];
  const sink = options.logging?.sink === undefined ? 'null' : logging.sink;
  const config = Object.freeze({
    ...rest,
    stream: Object.freeze({ ...stream, source }),
    logging: Object.freeze({ ...logging, sink }),
  });
  return { config, warnings: loaded.warnings };
}

function assignmentsOf(options: ServerOptions): Assignment[] {
  return rows.flatMap(({ section, key }) =>
    valuesOf(valueAt(options, section, key)).map((value) => ({
      section,
      key,
      value: textOf(value),
      origin: `option ${nameOf({ section, key })}`,
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

function nameOf({ section, key }: Pick<Row, 'section' | 'key'>): string {
  return `${camelCase(section)}.${camelCase(key)}`;
}

/** Programs in plain JavaScript have no compiler that tells them. */
function refuseWrongShape(options: unknown): void {
  const faults = isPlain(options)
    ? Object.entries(options).flatMap(([name, section]) => sectionFaults(name, section))
    : [`the options are ${kindOf(options)}; give an object`];
  if (faults.length > 0) throw new ConfigError('bad-options', faults.join('\n'));
}

function sectionFaults(name: string, section: unknown): readonly string[] {
  if (section === undefined) return [];
  if (!isPlain(section)) return [`option ${name} is ${kindOf(section)}; give an object`];
  return Object.entries(section).flatMap(([key, value]) => valueFaults(`${name}.${key}`, value));
}

const rowOf: ReadonlyMap<string, Row> = new Map(rows.map((row) => [nameOf(row), row]));

function valueFaults(name: string, value: unknown): readonly string[] {
  const row = rowOf.get(name);
  if (!row) {
    return [`no such option: ${name}; the names are those of the configuration file in camelCase`];
  }
  if (value === undefined) return [];
  if (!row.setting.repeatable) return itemFaults(name, row, value);
  if (!Array.isArray(value)) return [`option ${name} is ${kindOf(value)}; give a list`];
  return value.flatMap((item, index) => itemFaults(`${name}[${index}]`, row, item));
}

/** What is of the right type and still cannot be used is found when the configuration is loaded. */
function itemFaults(name: string, { setting }: Row, value: unknown): readonly string[] {
  if (value instanceof SampleFormat) return [];
  const isUsable = ['string', 'number', 'boolean'].includes(typeof value);
  const parsed = isUsable ? setting.parser.parse(String(value), () => undefined) : undefined;
  const isText = parsed instanceof SampleFormat || typeof parsed === 'string';
  const wanted = isText ? 'string' : typeof parsed;
  if (isUsable && (parsed === undefined || wanted === typeof value)) return [];
  const allowed = isUsable ? `a ${wanted}` : setting.parser.allowed;
  return [`option ${name} is ${kindOf(value)}; give ${allowed}`];
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Never the value itself, which may be a password. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
