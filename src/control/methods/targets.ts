import type { RpcCaller } from '../rpc.ts';
import { internalError } from '../rpc-errors.ts';
import type { RpcContext, RpcMethod, RpcParameter, RpcResult } from '../rpc-method.ts';
import type { RpcParams } from '../rpc-params.ts';

interface TargetMethod<T> extends Pick<RpcMethod, 'name' | 'description' | 'returns'> {
  /** Those behind the id. */
  readonly parameters?: readonly RpcParameter[];
  readonly call: (
    target: T,
    asked: { readonly params: RpcParams; readonly caller: RpcCaller; readonly context: RpcContext },
  ) => RpcResult | Promise<RpcResult>;
}

/** Methods that need a permission, about a client, for example, whose `id` is asked for. */
export const onClient = methodOn('Client', (id, { registry }) => registry.clients.get(id));
export const onGroup = methodOn('Group', (id, { registry }) => registry.groups.get(id));
export const onStream = methodOn('Stream', (id, { streams }) => streams.channels.get(id));

export function idOf(kind: string): RpcParameter {
  return { parameter: 'id', type: 'string', description: `id of the ${kind.toLowerCase()}` };
}

function methodOn<T>(
  kind: string,
  find: (id: string, context: RpcContext) => T | undefined,
): (method: TargetMethod<T>) => RpcMethod {
  return ({ parameters = [], call, ...method }) => ({
    ...method,
    parameters: [idOf(kind), ...parameters],
    needs: 'permission',
    call(params, caller, context) {
      const target = find(params.text('id'), context);
      if (target === undefined) throw internalError(`${kind} not found`);
      return call(target, { params, caller, context });
    },
  });
}
