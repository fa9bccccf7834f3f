import type { Login } from '../../auth/access.ts';
import type { RpcMethod } from '../rpc-method.ts';

export const generalMethods: readonly RpcMethod[] = [
  {
    name: 'General.GetRPCCommands',
    description: 'List all methods, and whether the caller may call them',
    parameters: [],
    returns: ['object', 'the methods with their descriptions'],
    needs: 'login',
    call(_params, caller, { methods, access }) {
      const login = caller.login ?? access.anonymous;
      const sorted = [...methods.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return { commands: sorted.map((method) => commandOf(method, login)) };
    },
  },
];

function commandOf(method: RpcMethod, login: Login | undefined): object {
  const { name, description, parameters, returns, needs } = method;
  return {
    method: name,
    hasPermission: needs !== 'permission' || login?.permits(name) === true,
    requires: { authentication: needs !== 'nothing', authorization: needs === 'permission' },
    description: {
      description,
      ...(parameters.length > 0 && { parameters }),
      return: returns,
    },
  };
}
