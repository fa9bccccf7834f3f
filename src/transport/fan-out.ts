import type { ChunkRing } from '../audio/chunk-ring.ts';
import type { Cursor } from './cursor.ts';

/**
 * Moves the contents of a ring to sockets: the one thing that exists twice, natively and in
 * JavaScript, with the same behaviour.
 */
export interface FanOut {
  /**
   * Sends to each session what lies between its cursor and the head, at most `quota` chunks, and
   * moves the cursor. A session whose socket is reserved is skipped and counted.
   *
   * Ownership: keeps the chunks that are on the way to a socket retained until the socket has
   * taken them.
   */
  deliver(ring: ChunkRing, cursors: readonly Cursor[]): void;
}
