import { refusalReason } from '../../auth/login-errors.ts';
import { ConfigError } from '../../base/errors.ts';
import { internalError } from '../rpc-errors.ts';
import type { RpcMethod } from '../rpc-method.ts';
import { onClient } from './targets.ts';

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
  onClient({
    name: 'Server.DeleteClient',
    description: 'Forget a client',
    returns: ['object', 'the complete status of the server'],
    call(client, { caller, context }) {
      context.groups.deleteClient(client, caller);
      return { server: context.status.server() };
    },
  }),
  {
    name: 'Server.ReloadConfig',
    description: 'Read the configuration again and apply what can change while the server runs',
    parameters: [],
    returns: ['object', 'the settings and streams that have changed, and warnings'],
    needs: 'permission',
    async call(_params, _caller, { reload }) {
      if (!reload) throw internalError('there is nothing to reload');
      try {
        return { ...(await reload()) };
      } catch (error) {
        throw error instanceof ConfigError ? internalError(error.faults.join('\n')) : error;
      }
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
    async call(params, caller, { access, logger, refusalLog }) {
      const credentials = { scheme: params.text('scheme'), param: params.text('param') };
      const { remoteAddress } = caller;
      try {
        caller.login = await access.login(credentials, remoteAddress);
      } catch (error) {
        if (refusalLog.allows()) {
          logger.warn('login refused', { remoteAddress, reason: refusalReason(error) });
        }
        throw error;
      }
      return 'ok';
    },
  },
];
