import type { ValueParser } from './value-parser.ts';

/** One row of the table of settings. */
export interface Setting<Value> {
  /** As it would stand in the file: the text of a scalar, all texts of a repeatable key. */
  readonly default: string | readonly string[];
  readonly parser: ValueParser<Value>;
  /** One or more sentences for the person who sets it. */
  readonly doc: string;
  /** The key may stand several times; its value is a list. */
  readonly repeatable: boolean;
  /** The value must never be shown. */
  readonly secret?: boolean;
  /** A reload of the configuration puts a new value into force; others wait for a restart. */
  readonly isLive?: boolean;
}

export interface Scalar<Value> extends Setting<Value> {
  readonly default: string;
  readonly repeatable: false;
}

export interface List<Value> extends Setting<Value> {
  readonly default: readonly string[];
  readonly repeatable: true;
}

export function scalar<const Value>(row: Omit<Scalar<Value>, 'repeatable'>): Scalar<Value> {
  return { ...row, repeatable: false };
}

export function list<Value>(row: Omit<List<Value>, 'repeatable'>): List<Value> {
  return { ...row, repeatable: true };
}
