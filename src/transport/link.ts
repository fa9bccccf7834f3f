import type { Socket } from 'node:net';

/** What stands around a message on the wire: nothing, or a WebSocket frame of its own. */
export type Framing = 'tcp' | 'websocket';

/** What a link tells the connection on it. */
export interface LinkHandler {
  /** Begins what came with one read, which is answered by one write. */
  begin(): void;
  receive(messages: Buffer): void;
  /** Ends what came with one read. Returns whether to go on reading. */
  finish(): boolean;
  /** Sends a frame that is no message between two messages; of those that wait only the newest. */
  answer(frame: Buffer): void;
  /** The peer wants no more. */
  ended(): void;
  /** The peer broke the rules of the link. */
  violated(fault: string): void;
}

/**
 * How messages reach a socket and come out of it.
 *
 * Ownership: everything is written by the connection, straight to `socket`, in agreement with the
 * reservation; the link itself writes nothing.
 */
export interface Link {
  /** Another one from `open` on. */
  readonly socket: Socket;
  readonly framing: Framing;
  /** Begins to read, unless the socket is read without the link. */
  open(handler: LinkHandler): void;
  /** What goes in front of `message`. */
  headerOf(message: Buffer): Buffer | undefined;
  /** The last bytes to a peer that broke a rule, or that is closed for another reason. */
  farewell(isViolation: boolean): Buffer | undefined;
}
