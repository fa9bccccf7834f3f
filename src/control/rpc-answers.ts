import type { RpcError } from '../base/errors.ts';
import { jsonOf } from './json-text.ts';
import type { RpcResult } from './rpc-method.ts';
import type { RpcId } from './rpc-request.ts';

/** The answer to a request that was served. */
export function resultText(id: RpcId, result: RpcResult): string {
  return jsonOf({ id, jsonrpc: '2.0', result });
}

/** The answer to a request that was not; without an id when it is unknown which one it was. */
export function errorText(id: RpcId, { rpcCode, message, data }: RpcError): string {
  return jsonOf({ error: { code: rpcCode, data, message }, id, jsonrpc: '2.0' });
}
