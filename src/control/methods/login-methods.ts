import { forbidden, internalError } from '../rpc-errors.ts';
import type { RpcMethod } from '../rpc-method.ts';

const usualHours = 10;
/** One who stays logged in shows the password once a month. */
const maxHours = 720;

export const loginMethods: readonly RpcMethod[] = [
  {
    name: 'Login.GetToken',
    description: 'Get a token that stands for the password which the caller has logged in with',
    parameters: [
      {
        parameter: 'hours',
        type: 'number',
        description: `how long it is valid, up to ${maxHours}; absent: ${usualHours}`,
      },
    ],
    returns: ['object', 'the token, for the scheme Bearer'],
    needs: 'login',
    async call(params, caller, { access }) {
      const hours = params.optionalNumber('hours') ?? usualHours;
      if (!(hours > 0 && hours <= maxHours)) {
        throw internalError(`Parameter 'hours' must be above 0 and up to ${maxHours}`);
      }
      const token =
        caller.login && (await access.issueToken?.(caller.login, Math.ceil(hours * 3600)));
      if (token === undefined) throw forbidden('log in with a password first');
      return { token };
    },
  },
];
