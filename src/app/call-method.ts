import type { Login } from '../auth/access.ts';
import { RpcError } from '../base/errors.ts';
import type { RpcCaller, RpcHandler } from '../control/rpc.ts';

/** The program that this server runs in may do everything. */
const owner: Login = { user: '', permits: () => true };

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: string };
}

/** Calls a method of the JSON-RPC interface. Failure: rejects with an `RpcError`. */
export async function callMethod(
  handler: RpcHandler,
  method: string,
  params: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const caller: RpcCaller = { login: owner, remoteAddress: 'this program' };
  const request = { id: 1, jsonrpc: '2.0', method, params };
  const text = await handler.handle(JSON.stringify(request), caller);
  const { result, error }: Answer = JSON.parse(text ?? '{}');
  if (error) throw new RpcError(error.code, error.message, error.data);
  return result;
}
