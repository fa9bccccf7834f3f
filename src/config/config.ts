import type { schema } from './schema.ts';
import type { List, Scalar } from './setting.ts';

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${CamelCase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Name extends `${infer Head}-${infer Tail}`
    ? `${Head}${Capitalize<CamelCase<Tail>>}`
    : Name;

type ValueOf<Row> =
  Row extends List<infer Value>
    ? readonly Value[]
    : Row extends Scalar<infer Value>
      ? Value
      : never;

/** Every setting of the table, frozen: `config.tcpStreaming.bindToAddress`. */
export type Config = {
  readonly [Name in keyof typeof schema as CamelCase<Name & string>]: {
    readonly [Key in keyof (typeof schema)[Name] as CamelCase<Key & string>]: ValueOf<
      (typeof schema)[Name][Key]
    >;
  };
};

export function camelCase(name: string): string {
  return name.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Builds the frozen object from the value of each `section.key`. */
export function buildConfig(
  values: Iterable<{ readonly section: string; readonly key: string; readonly value: unknown }>,
): Config {
  const sections: Record<string, Record<string, unknown>> = {};
  for (const { section, key, value } of values) {
    const name = camelCase(section);
    sections[name] ??= {};
    sections[name][camelCase(key)] = Array.isArray(value) ? Object.freeze(value) : value;
  }
  for (const section of Object.values(sections)) Object.freeze(section);
  // The table has one row per key of the type, because the type is derived from the table.
  return Object.freeze(sections) as unknown as Config;
}
