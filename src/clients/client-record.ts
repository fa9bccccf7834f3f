import type { Hello } from '../protocol/messages.ts';

/** A client as the server knows it, also while it is away. Source: protocol reference, 8.1. */
export interface ClientRecord {
  readonly id: string;
  /** Only the registry changes it. */
  readonly group: GroupRecord;
  hello: Hello;
  address: string;
  isConnected: boolean;
  /** It is forgotten when it leaves, and not saved. */
  isVisitor?: boolean;
  /** Unix time of the last sign of life, milliseconds. */
  lastSeenMs: number;
  name: string;
  latencyMs: number;
  volume: number;
  isMuted: boolean;
  /** Fields of the state file that this version does not know, written back as they were. */
  readonly unknown: Readonly<Record<string, unknown>>;
}

/** Clients that play the same stream. */
export interface GroupRecord {
  readonly id: string;
  name: string;
  /** The stream that it was given, whether that is there or not; empty until one was found for it. */
  streamId: string;
  /** What it plays while its own stream is not there or disabled. */
  fallbackId: string | undefined;
  /** What its clients go on to play while its own stream is mixed over that; not saved. */
  underId?: string | undefined;
  isMuted: boolean;
  readonly clients: ClientRecord[];
  readonly unknown: Readonly<Record<string, unknown>>;
}

/** What of a client outlives the process. */
export type ClientState = Pick<
  ClientRecord,
  | 'id'
  | 'hello'
  | 'address'
  | 'lastSeenMs'
  | 'name'
  | 'latencyMs'
  | 'volume'
  | 'isMuted'
  | 'unknown'
>;

/** What of a group outlives the process. */
export interface GroupState
  extends Pick<GroupRecord, 'id' | 'name' | 'streamId' | 'underId' | 'isMuted' | 'unknown'> {
  readonly clients: readonly ClientState[];
}
