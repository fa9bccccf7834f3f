/** The complete status as controllers read it. Source: protocol reference, 8.1. */
export interface ServerStatus {
  readonly groups: readonly GroupStatus[];
  readonly server: {
    readonly host: Readonly<Record<string, string>>;
    readonly snapserver: {
      readonly controlProtocolVersion: number;
      readonly name: string;
      readonly protocolVersion: number;
      readonly version: string;
    };
  };
  readonly streams: readonly StreamStatus[];
}

export interface GroupStatus {
  readonly id: string;
  readonly name: string;
  readonly muted: boolean;
  readonly stream_id: string;
  readonly clients: readonly ClientStatus[];
}

export interface ClientStatus {
  readonly id: string;
  readonly connected: boolean;
  readonly config: {
    readonly instance: number;
    readonly latency: number;
    readonly name: string;
    readonly volume: { readonly muted: boolean; readonly percent: number };
  };
  readonly host: Readonly<Record<string, string>>;
  readonly lastSeen: { readonly sec: number; readonly usec: number };
  readonly snapclient: Readonly<Record<string, unknown>>;
}

export interface StreamStatus {
  readonly id: string;
  readonly status: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly uri: {
    readonly fragment: string;
    readonly host: string;
    readonly path: string;
    readonly query: Readonly<Record<string, string>>;
    readonly raw: string;
    readonly scheme: string;
  };
}

/** The group of a client. */
export function groupOf({ groups }: ServerStatus, clientId: string): GroupStatus {
  const group = groups.find(({ clients }) => clients.some(({ id }) => id === clientId));
  if (!group) throw new Error(`no group has the client ${clientId}`);
  return group;
}

export function clientOf(status: ServerStatus, clientId: string): ClientStatus {
  return groupOf(status, clientId).clients.find(({ id }) => id === clientId)!;
}

export function streamOf({ streams }: ServerStatus, streamId: string): StreamStatus {
  const stream = streams.find(({ id }) => id === streamId);
  if (!stream) throw new Error(`there is no stream ${streamId}`);
  return stream;
}
