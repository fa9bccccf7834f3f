import { isObject, type JsonObject } from '../base/files/json-fields.ts';
import { internalError, invalidParams } from './rpc-errors.ts';

/**
 * The parameters of one request, by name.
 *
 * Failure: what is asked for but absent, or of another type, is an `RpcError` that names it.
 */
export class RpcParams {
  readonly #members: JsonObject;

  /** Positional parameters have no names, so all are missing. Source: protocol reference, 9.2. */
  constructor(params: unknown) {
    this.#members = isObject(params) ? params : {};
  }

  /** All of them. */
  get all(): JsonObject {
    return this.#members;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#members, name);
  }

  value(name: string): unknown {
    if (!this.has(name)) throw invalidParams(`Parameter '${name}' is missing`);
    return this.#member(name);
  }

  text(name: string): string {
    return this.#checked(name, isText, 'a string');
  }

  flag(name: string): boolean {
    return this.#checked(name, isFlag, 'true or false');
  }

  number(name: string): number {
    return this.#checked(name, isNumber, 'a number');
  }

  texts(name: string): readonly string[] {
    return this.#checked(name, isTextList, 'an array of strings');
  }

  members(name: string): RpcParams {
    return new RpcParams(this.#checked(name, isObject, 'an object'));
  }

  /** `undefined` also when the type is another one. */
  optionalNumber(name: string): number | undefined {
    const value = this.#member(name);
    return isNumber(value) ? value : undefined;
  }

  /** `undefined` also when the type is another one. */
  optionalFlag(name: string): boolean | undefined {
    const value = this.#member(name);
    return isFlag(value) ? value : undefined;
  }

  #member(name: string): unknown {
    return this.has(name) ? this.#members[name] : undefined;
  }

  #checked<T>(name: string, isRight: (value: unknown) => value is T, kind: string): T {
    const value = this.value(name);
    if (!isRight(value)) throw internalError(`Parameter '${name}' must be ${kind}`);
    return value;
  }
}

/** A number that JSON can express: a literal such as 1e999 is parsed as infinity. */
export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isFlag(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}
