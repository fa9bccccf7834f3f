import { EventEmitter } from 'node:events';
import type { Change } from '../streams/change.ts';
import {
  type ClientStatus,
  clientStatus,
  type StreamStatus,
  streamStatus,
} from './server-status.ts';

/** What a program can listen to, with what its listeners are given. */
export interface ServerEvents {
  readonly clientConnected: ClientStatus;
  readonly clientDisconnected: ClientStatus;
  /** Volume, latency or name. */
  readonly clientChanged: ClientStatus;
  /** The client was forgotten. */
  readonly clientRemoved: ClientStatus;
  /** The clients of a group have another stream, name or mute. */
  readonly groupChanged: { readonly groupId: string };
  /** Clients moved between groups. */
  readonly groupsChanged: undefined;
  readonly streamAdded: StreamStatus;
  readonly streamRemoved: StreamStatus;
  /** Idle, playing or disabled; or what is played. */
  readonly streamChanged: StreamStatus;
  /** Streams changed their places: the first that can be played is that of new groups. */
  readonly streamsReordered: undefined;
}

export type ServerListener<Name extends keyof ServerEvents> = (event: ServerEvents[Name]) => void;

const eventOf = {
  'client-added': 'clientConnected',
  'client-connected': 'clientConnected',
  'client-disconnected': 'clientDisconnected',
  'client-volume': 'clientChanged',
  'client-latency': 'clientChanged',
  'client-name': 'clientChanged',
  'client-removed': 'clientRemoved',
  'group-mute': 'groupChanged',
  'group-name': 'groupChanged',
  'group-stream': 'groupChanged',
  groups: 'groupsChanged',
  'stream-added': 'streamAdded',
  'stream-removed': 'streamRemoved',
  'stream-state': 'streamChanged',
  'stream-properties': 'streamChanged',
  'stream-order': 'streamsReordered',
} as const satisfies Record<Change['kind'], keyof ServerEvents>;

/**
 * Turns changes into events.
 *
 * Listeners are called when the server is through with what it is at, and each by itself: one that
 * throws breaks the program that it belongs to, never a stream, a request or another listener.
 */
export class ServerEventSource {
  readonly #emitter = new EventEmitter();

  /** Returns how to stop listening. */
  on<Name extends keyof ServerEvents>(name: Name, listener: ServerListener<Name>): () => void {
    const hear: ServerListener<Name> = (event) =>
      queueMicrotask(() => {
        if (this.#emitter.listeners(name).includes(hear)) listener(event);
      });
    this.#emitter.on(name, hear);
    return () => void this.#emitter.off(name, hear);
  }

  emit(change: Change): void {
    const name = eventOf[change.kind];
    if (this.#emitter.listenerCount(name) > 0) this.#emitter.emit(name, payloadOf(change));
    if (change.kind === 'groups') for (const one of change.details ?? []) this.emit(one);
  }
}

function payloadOf(change: Change): ServerEvents[keyof ServerEvents] {
  if ('client' in change) return clientStatus(change.client);
  if ('channel' in change) return streamStatus(change.channel);
  return 'group' in change ? { groupId: change.group.id } : undefined;
}
