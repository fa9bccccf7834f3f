import { type Access, openAccess } from '../../src/auth/access.ts';
import type { RpcAnswer, RpcCaller } from '../../src/control/rpc.ts';
import { RpcDispatcher } from '../../src/control/rpc-dispatcher.ts';
import type { RpcMethod, RpcResult, RpcTargets } from '../../src/control/rpc-method.ts';
import type { RpcParams } from '../../src/control/rpc-params.ts';
import { LogLines } from './log-lines.ts';

export function caller(): RpcCaller {
  return { login: undefined, remoteAddress: '10.0.0.9' };
}

type Call = (params: RpcParams, caller: RpcCaller) => RpcResult | Promise<RpcResult>;

/** A method that needs no more than `needs`. */
export function method(
  name: string,
  call: Call,
  needs: RpcMethod['needs'] = 'permission',
): RpcMethod {
  return { name, call, needs, description: '', parameters: [], returns: ['object', ''] };
}

export interface Core {
  readonly log: LogLines;
  /** Asks as one and the same caller. */
  ask(text: string): RpcAnswer;
  readonly caller: RpcCaller;
}

/** A dispatcher around methods that need no server. */
export function coreOf(methods: readonly RpcMethod[], access: Access = openAccess): Core {
  const log = new LogLines();
  // None of these methods looks at what the real ones work on.
  const targets = { access } as unknown as RpcTargets;
  const dispatcher = new RpcDispatcher({ ...targets, logger: log, methods });
  const asking = caller();
  return { log, caller: asking, ask: (text) => dispatcher.handle(text, asking) };
}
