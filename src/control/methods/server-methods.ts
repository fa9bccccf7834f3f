import { messageOf } from '../../errors.ts';
import type { RpcMethod } from '../rpc-method.ts';
import { clientId, clientOf } from './targets.ts';

/** What snapserver answers since version 0.30. Source: protocol reference, 9.5. */
const rpcVersion = { major: 23, minor: 0, patch: 0 };

export const serverMethods: readonly RpcMethod[] = [
  {
    name: 'Server.GetStatus',
    description: 'Get the complete status: groups with their clients, streams, and the server',
    parameters: [],
    returns: ['object', 'the complete status of the server'],
    needs: 'permission',
    call: (_params, _caller, { status }) => ({ server: status.server() }),
  },
  {
    name: 'Server.GetRPCVersion',
    description: 'Get the version of the control protocol',
    parameters: [],
    returns: ['object', 'major, minor and patch version'],
    needs: 'permission',
    call: () => rpcVersion,
  },
  {
    name: 'Server.DeleteClient',
    description: 'Forget a client',
    parameters: [clientId],
    returns: ['object', 'the complete status of the server'],
    needs: 'permission',
    call(params, caller, context) {
      context.groups.deleteClient(clientOf(params, context), caller);
      return { server: context.status.server() };
    },
  },
  {
    name: 'Server.Authenticate',
    description: 'Log in',
    parameters: [
      { parameter: 'scheme', type: 'string', description: 'Basic, Plain or Bearer' },
      {
        parameter: 'param',
        type: 'string',
        description: 'Basic: base64 of user:password; Plain: user:password; Bearer: a token',
      },
    ],
    returns: ['string', 'ok'],
    needs: 'nothing',
    async call(params, caller, { access, logger }) {
      const credentials = { scheme: params.text('scheme'), param: params.text('param') };
      try {
        caller.login = await access.login(credentials);
      } catch (error) {
        const { remoteAddress } = caller;
        logger.warn('login refused', { remoteAddress, reason: messageOf(error) });
        throw error;
      }
      return 'ok';
    },
  },
];
