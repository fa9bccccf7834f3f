import type { ClientRecord, GroupRecord } from '../clients/client-record.ts';
import { playedStreamId } from '../clients/registry.ts';
import type { Change } from '../streams/change.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';
import { ControlMessage } from './control-peer.ts';
import { jsonOf } from './json-text.ts';
import type { StatusTree } from './status-tree.ts';

/** A method, and what it tells about its subject. */
type Form<Subject> = readonly [method: string, params: (of: Subject, status: StatusTree) => object];
type ChangeOf<Subject> = Extract<Change, Subject>['kind'];
type Forms<Kind extends string, Subject> = Readonly<Record<Kind, Form<Subject> | undefined>>;

// What has no form of its own is told by the complete status. Source: protocol reference, 9.6.

const ofClient: Forms<ChangeOf<{ client: ClientRecord }>, ClientRecord> = {
  'client-added': undefined,
  'client-removed': undefined,
  'client-connected': [
    'Client.OnConnect',
    (client, status) => ({ client: status.client(client), id: client.id }),
  ],
  'client-disconnected': [
    'Client.OnDisconnect',
    (client, status) => ({ client: status.client(client), id: client.id }),
  ],
  'client-volume': [
    'Client.OnVolumeChanged',
    ({ id, isMuted, volume }) => ({ id, volume: { muted: isMuted, percent: volume } }),
  ],
  'client-latency': [
    'Client.OnLatencyChanged',
    ({ id, latencyMs }) => ({ id, latency: latencyMs }),
  ],
  'client-name': ['Client.OnNameChanged', ({ id, name }) => ({ id, name })],
};

const ofGroup: Forms<ChangeOf<{ group: GroupRecord }>, GroupRecord> = {
  'group-mute': ['Group.OnMute', ({ id, isMuted }) => ({ id, mute: isMuted })],
  'group-name': ['Group.OnNameChanged', ({ id, name }) => ({ id, name })],
  'group-stream': [
    'Group.OnStreamChanged',
    (group) => ({ id: group.id, stream_id: playedStreamId(group) }),
  ],
};

const ofStream: Forms<ChangeOf<{ channel: StreamChannel }>, StreamChannel> = {
  'stream-added': undefined,
  'stream-removed': undefined,
  'stream-state': [
    'Stream.OnUpdate',
    (channel, status) => ({ id: channel.id, stream: status.stream(channel) }),
  ],
  'stream-properties': [
    'Stream.OnProperties',
    (channel, status) => ({ id: channel.id, properties: status.properties(channel) }),
  ],
};

/** Either of these allows a controller to ask for what it is told of. */
const mayAsk = {
  status: ['Server.GetStatus'],
  client: ['Server.GetStatus', 'Client.GetStatus'],
  group: ['Server.GetStatus', 'Group.GetStatus'],
} as const;

/** The permissions of which a receiver needs one to be told of `change` by a message of its own. */
export function permissionsFor(change: Change): readonly string[] {
  if ('client' in change) return mayAsk.client;
  return 'group' in change ? mayAsk.group : mayAsk.status;
}

/** The same for the complete status. */
export const statusPermissions: readonly string[] = mayAsk.status;

/** What tells of `change` alone; `undefined` when only the complete status can. */
export function notificationOf(change: Change, status: StatusTree): ControlMessage | undefined {
  if ('client' in change) return fill(ofClient[change.kind], change.client, status);
  if ('group' in change) return fill(ofGroup[change.kind], change.group, status);
  if ('channel' in change) return fill(ofStream[change.kind], change.channel, status);
  return undefined;
}

/** The complete status, for what is new, gone, or has moved. */
export function serverUpdate(status: StatusTree): ControlMessage {
  return notification('Server.OnUpdate', { server: status.server() });
}

function fill<Subject>(
  form: Form<Subject> | undefined,
  subject: Subject,
  status: StatusTree,
): ControlMessage | undefined {
  if (!form) return undefined;
  const [method, paramsOf] = form;
  return notification(method, paramsOf(subject, status));
}

export function notification(method: string, params: object): ControlMessage {
  return new ControlMessage(jsonOf({ jsonrpc: '2.0', method, params }));
}
