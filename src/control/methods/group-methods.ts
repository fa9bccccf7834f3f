import { playedStreamId } from '../../clients/registry.ts';
import type { RpcMethod } from '../rpc-method.ts';
import { onGroup } from './targets.ts';

export const groupMethods: readonly RpcMethod[] = [
  onGroup({
    name: 'Group.GetStatus',
    description: 'Get the status of a group',
    returns: ['object', 'the group with its clients'],
    call: (group, { context }) => ({ group: context.status.group(group) }),
  }),
  onGroup({
    name: 'Group.SetName',
    description: 'Set the name of a group',
    parameters: [
      { parameter: 'name', type: 'string', description: 'the name; empty to show its clients' },
    ],
    returns: ['object', 'the new name'],
    call(group, { params, caller, context }) {
      context.groups.setGroupName(group, params.text('name'), caller);
      return { name: group.name };
    },
  }),
  onGroup({
    name: 'Group.SetMute',
    description: 'Mute or unmute a group',
    parameters: [{ parameter: 'mute', type: 'boolean', description: 'true to mute' }],
    returns: ['object', 'the new state'],
    call(group, { params, caller, context }) {
      context.groups.setMute(group, params.flag('mute'), caller);
      return { mute: group.isMuted };
    },
  }),
  onGroup({
    name: 'Group.SetStream',
    description: 'Choose the stream that a group plays',
    parameters: [{ parameter: 'stream_id', type: 'string', description: 'id of the stream' }],
    returns: ['object', 'the new stream'],
    call(group, { params, caller, context }) {
      context.groups.setStream(group, params.text('stream_id'), caller);
      return { stream_id: playedStreamId(group) };
    },
  }),
  onGroup({
    name: 'Group.SetClients',
    description: 'Choose the clients of a group; those who leave get groups of their own',
    parameters: [
      { parameter: 'clients', type: 'array', description: 'ids of all clients of the group' },
    ],
    returns: ['object', 'the complete status of the server'],
    call(group, { params, caller, context }) {
      context.groups.setClients(group, params.texts('clients'), caller);
      return { server: context.status.server() };
    },
  }),
];
