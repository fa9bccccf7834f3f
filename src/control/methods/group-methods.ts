import { playedStreamId } from '../../clients/registry.ts';
import type { RpcMethod } from '../rpc-method.ts';
import { groupId, groupOf } from './targets.ts';

export const groupMethods: readonly RpcMethod[] = [
  {
    name: 'Group.GetStatus',
    description: 'Get the status of a group',
    parameters: [groupId],
    returns: ['object', 'the group with its clients'],
    needs: 'permission',
    call: (params, _caller, context) => ({
      group: context.status.group(groupOf(params, context)),
    }),
  },
  {
    name: 'Group.SetName',
    description: 'Set the name of a group',
    parameters: [
      groupId,
      { parameter: 'name', type: 'string', description: 'the name; empty to show its clients' },
    ],
    returns: ['object', 'the new name'],
    needs: 'permission',
    call(params, caller, context) {
      const group = groupOf(params, context);
      context.groups.setGroupName(group, params.text('name'), caller);
      return { name: group.name };
    },
  },
  {
    name: 'Group.SetMute',
    description: 'Mute or unmute a group',
    parameters: [groupId, { parameter: 'mute', type: 'boolean', description: 'true to mute' }],
    returns: ['object', 'the new state'],
    needs: 'permission',
    call(params, caller, context) {
      const group = groupOf(params, context);
      context.groups.setMute(group, params.flag('mute'), caller);
      return { mute: group.isMuted };
    },
  },
  {
    name: 'Group.SetStream',
    description: 'Choose the stream that a group plays',
    parameters: [
      groupId,
      { parameter: 'stream_id', type: 'string', description: 'id of the stream' },
    ],
    returns: ['object', 'the new stream'],
    needs: 'permission',
    call(params, caller, context) {
      const group = groupOf(params, context);
      context.groups.setStream(group, params.text('stream_id'), caller);
      return { stream_id: playedStreamId(group) };
    },
  },
  {
    name: 'Group.SetClients',
    description: 'Choose the clients of a group; those who leave get groups of their own',
    parameters: [
      groupId,
      { parameter: 'clients', type: 'array', description: 'ids of all clients of the group' },
    ],
    returns: ['object', 'the complete status of the server'],
    needs: 'permission',
    call(params, caller, context) {
      const group = groupOf(params, context);
      context.groups.setClients(group, params.texts('clients'), caller);
      return { server: context.status.server() };
    },
  },
];
