import type { ChunkRing } from '../audio/chunk-ring.ts';
import type { LoopShare } from '../base/time/loop-share.ts';
import type { AudioPath } from './audio-path.ts';
import type { Connection } from './connection.ts';
import type { Cursor } from './cursor.ts';

/**
 * Moves the contents of a ring to sockets: the one thing that exists twice, natively and in
 * JavaScript, with the same behaviour.
 */
export interface FanOut {
  /** A send pays best from this size on, bytes; 0 when every size does. */
  readonly wantedSendBytes: number;

  /** Takes in a connection, so that cursors on it can be delivered. */
  attach(connection: Connection): AudioPath;

  /**
   * Sends to each session what lies between its cursor and the head, at most `quota` chunks,
   * moves the cursor, and sets the quota of those that it has looked at to 0. A session whose
   * socket is reserved is skipped and counted.
   *
   * Returns false when it stopped early, as `share` is used up, although it always gets on: the
   * caller then calls again in a later turn, with the same arguments.
   *
   * Ownership: keeps the chunks that are on the way to a socket, or in flight, retained until
   * their memory is not read any more.
   */
  deliver(ring: ChunkRing, cursors: readonly Cursor[], share: LoopShare): boolean;

  /** Ends it; every path was detached before. Resolves when no chunk is in flight any more. */
  close(): Promise<void>;
}
