import type { ChangeListener, Requester } from './change.ts';
import type { ClientRecord, GroupRecord, Registry } from './registry.ts';
import type { StreamDirectory } from './stream-directory.ts';
import type { StreamServer } from './stream-server.ts';

export interface GroupControlOptions {
  readonly registry: Registry;
  readonly server: StreamServer;
  readonly streams: StreamDirectory;
  readonly bufferMs: number;
  readonly onChange: ChangeListener;
}

/** What controllers do with clients and groups. Source: protocol reference, 5.2 to 5.4 and 8.2. */
export class GroupControl {
  constructor(_options: GroupControlOptions) {}

  /** Percent is clamped to 0..100 and rounded; what is absent keeps its value. */
  setVolume(
    _client: ClientRecord,
    _volume: { readonly percent?: number; readonly muted?: boolean },
    _by?: Requester,
  ): void {}

  /** Clamped to −10 000 .. buffer, milliseconds. */
  setLatency(_client: ClientRecord, _latencyMs: number, _by?: Requester): void {}

  setClientName(_client: ClientRecord, _name: string, _by?: Requester): void {}

  setGroupName(_group: GroupRecord, _name: string, _by?: Requester): void {}

  setMute(_group: GroupRecord, _isMuted: boolean, _by?: Requester): void {}

  /** Failure: throws an `RpcError` "Stream not found" for unknown streams and those without codec. */
  setStream(_group: GroupRecord, _streamId: string, _by?: Requester): void {}

  /** Makes `clientIds` the members of the group; unknown ids are ignored. */
  setClients(_group: GroupRecord, _clientIds: readonly string[], _by?: Requester): void {}

  /** Forgets the client; a session of it is closed and would come back as a new client. */
  deleteClient(_client: ClientRecord, _by?: Requester): void {}
}
