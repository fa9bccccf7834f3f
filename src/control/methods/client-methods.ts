import type { RpcMethod } from '../rpc-method.ts';
import { onClient } from './targets.ts';

export const clientMethods: readonly RpcMethod[] = [
  onClient({
    name: 'Client.GetStatus',
    description: 'Get the status of a client',
    returns: ['object', 'the client'],
    call: (client, { context }) => ({ client: context.status.client(client) }),
  }),
  onClient({
    name: 'Client.SetVolume',
    description: 'Set volume and mute state of a client',
    parameters: [
      {
        parameter: 'volume',
        type: 'object',
        description: 'percent (0 to 100) and muted; what is absent keeps its value',
      },
    ],
    returns: ['object', 'the volume that is in force now'],
    call(client, { params, caller, context }) {
      const volume = params.members('volume');
      const percent = volume.optionalNumber('percent');
      const muted = volume.optionalFlag('muted');
      const change = {
        ...(percent !== undefined && { percent }),
        ...(muted !== undefined && { muted }),
      };
      context.groups.setVolume(client, change, caller);
      return { volume: { muted: client.isMuted, percent: client.volume } };
    },
  }),
  onClient({
    name: 'Client.SetLatency',
    description: 'Set the latency of a client, which makes it play earlier',
    parameters: [
      {
        parameter: 'latency',
        type: 'integer',
        description: 'milliseconds, from -10000 to the length of the buffer',
      },
    ],
    returns: ['object', 'the latency that is in force now'],
    call(client, { params, caller, context }) {
      context.groups.setLatency(client, params.number('latency'), caller);
      return { latency: client.latencyMs };
    },
  }),
  onClient({
    name: 'Client.SetName',
    description: 'Set the name of a client',
    parameters: [
      {
        parameter: 'name',
        type: 'string',
        description: 'the name; empty to show that of the host',
      },
    ],
    returns: ['object', 'the new name'],
    call(client, { params, caller, context }) {
      context.groups.setClientName(client, params.text('name'), caller);
      return { name: client.name };
    },
  }),
];
