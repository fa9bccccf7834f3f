import type { ClientRecord, GroupRecord } from '../../clients/client-record.ts';
import type { StreamChannel } from '../../streams/stream-channel.ts';
import { internalError } from '../rpc-errors.ts';
import type { RpcContext, RpcParameter } from '../rpc-method.ts';
import type { RpcParams } from '../rpc-params.ts';

export const clientId: RpcParameter = {
  parameter: 'id',
  type: 'string',
  description: 'id of the client',
};

export const groupId: RpcParameter = {
  parameter: 'id',
  type: 'string',
  description: 'id of the group',
};

export const streamId: RpcParameter = {
  parameter: 'id',
  type: 'string',
  description: 'id of the stream',
};

/** The client whose `id` is asked for. */
export function clientOf(params: RpcParams, { registry }: RpcContext): ClientRecord {
  return found('Client', registry.clients.get(params.text('id')));
}

/** The group whose `id` is asked for. */
export function groupOf(params: RpcParams, { registry }: RpcContext): GroupRecord {
  return found('Group', registry.groups.get(params.text('id')));
}

/** The stream whose `id` is asked for. */
export function streamOf(params: RpcParams, { streams }: RpcContext): StreamChannel {
  return found('Stream', streams.channels.get(params.text('id')));
}

function found<T>(kind: string, target: T | undefined): T {
  if (target === undefined) throw internalError(`${kind} not found`);
  return target;
}
