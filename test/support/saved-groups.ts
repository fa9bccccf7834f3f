import type { ClientState, GroupState } from '../../src/clients/client-record.ts';
import { helloOf } from './scripted-client.ts';

/** A client as the state file brings it back. */
export function savedClient(id: string, rest: Partial<ClientState> = {}): ClientState {
  return {
    id,
    hello: helloOf(id),
    address: '10.0.0.1',
    lastSeenMs: 1000,
    name: '',
    latencyMs: 0,
    volume: 100,
    isMuted: false,
    unknown: {},
    ...rest,
  };
}

/** A group as the state file brings it back. */
export function savedGroup(
  id: string,
  clients: readonly ClientState[],
  rest: Partial<GroupState> = {},
): GroupState {
  return { id, name: '', streamId: 's', isMuted: false, unknown: {}, ...rest, clients };
}
