import type { StreamProperties } from '../audio/stream-properties.ts';
import type { ClientRecord } from '../clients/client-record.ts';
import { playedStreamId } from '../clients/registry.ts';
import type { StreamChannel } from '../streams/stream-channel.ts';

/** A client at one moment. */
export interface ClientStatus {
  readonly id: string;
  /** The name that a controller gave it; empty when none did. */
  readonly name: string;
  readonly hostName: string;
  readonly address: string;
  readonly isConnected: boolean;
  /** Percent, 0..100. */
  readonly volume: number;
  readonly isMuted: boolean;
  readonly latencyMs: number;
  readonly groupId: string;
  /** The stream that its group plays; empty while there is none. */
  readonly streamId: string;
}

/** A stream at one moment. */
export interface StreamStatus {
  readonly id: string;
  readonly state: 'idle' | 'playing' | 'disabled';
  readonly codec: string;
  readonly properties: StreamProperties;
}

export function clientStatus(client: ClientRecord): ClientStatus {
  const { id, name, hello, address, isConnected, volume, isMuted, latencyMs, group } = client;
  return {
    id,
    name,
    hostName: hello.hostName,
    address,
    isConnected,
    volume,
    isMuted,
    latencyMs,
    groupId: group.id,
    streamId: playedStreamId(group),
  };
}

export function streamStatus({ id, stream, properties }: StreamChannel): StreamStatus {
  return { id, state: stream.state, codec: stream.codec, properties };
}
