import type { RpcError } from '../base/errors.ts';
import { isObject, type JsonObject } from '../base/files/json-fields.ts';
import type { JsonText } from './json-text.ts';
import type { LongIds } from './long-ids.ts';
import { invalidRequest } from './rpc-errors.ts';
import { RpcParams } from './rpc-params.ts';

/** `JsonText`: an integer that a number cannot hold. */
export type RpcId = string | number | JsonText | null;

export interface RpcRequest {
  readonly id: RpcId;
  readonly method: string;
  readonly params: RpcParams;
}

/** Meant as a request, but not one. */
interface RefusedRequest {
  readonly id: RpcId;
  readonly error: RpcError;
}

/**
 * Makes a request of parsed JSON; `undefined` when nothing is to be answered: notifications,
 * which no controller sends, answers, and what is no request at all.
 *
 * Source: protocol reference, 9.2.
 */
export function readRequest(
  value: unknown,
  longIds: LongIds,
): RpcRequest | RefusedRequest | undefined {
  if (!isObject(value) || !isMeantAsRequest(value)) return undefined;
  const id = readId(value.id, longIds);
  const fault = faultOf(value);
  if (fault !== undefined) return { id: id ?? null, error: invalidRequest(fault) };
  if (id === undefined) return undefined;
  return { id, method: String(value.method), params: new RpcParams(value.params) };
}

function isMeantAsRequest(members: JsonObject): boolean {
  if (Object.hasOwn(members, 'method')) return true;
  const isAnswer = Object.hasOwn(members, 'result') || Object.hasOwn(members, 'error');
  return Object.hasOwn(members, 'id') && !isAnswer;
}

function readId(id: unknown, longIds: LongIds): RpcId | undefined {
  if (id === null || typeof id === 'string') return id;
  return typeof id === 'number' && Number.isInteger(id) ? longIds.verbatim(id) : undefined;
}

function faultOf({ jsonrpc, method, id, params }: JsonObject): string | undefined {
  if (jsonrpc !== '2.0') return 'jsonrpc must be "2.0"';
  if (typeof method !== 'string') return 'method must be a string';
  const isId = id === undefined || id === null || typeof id === 'string' || Number.isInteger(id);
  if (!isId) return 'id must be an integer, a string or null';
  // Null equals absent: some libraries write every member.
  const isParams = params === undefined || typeof params === 'object';
  return isParams ? undefined : 'params must be an object';
}
