import type { JsonObject } from '../base/files/json-fields.ts';
import type { Change } from '../streams/change.ts';

/** A request of a viewer cannot be served; the message says how to mend it. Stops one request. */
export class LiveRequestError extends Error {}

/** Who watches: one connection to `/live`. */
export interface LiveViewer {
  /** Whether its login has this permission at present. */
  permits(permission: string): boolean;
  /** More waits for it than it takes: what the next message makes up for is left out. */
  readonly isBehind: boolean;
  /** Shape: one JSON text, which always arrives: not for what can be left out. */
  tell(message: JsonObject): void;
  /** Leaves it out for a viewer that is behind. Ownership: nothing is written to `frame` any more. */
  show(frame: Uint8Array): void;
}

/** Begins what was asked for, and returns what ends it; that is called exactly once. */
export type BeginWatch = (viewer: LiveViewer) => () => void;

/**
 * A kind of facts that viewers can watch, as the levels of streams are one.
 *
 * To add one: a class that is a `LiveTopic`, and a line in `openLive` of `src/app/observation.ts`.
 * It computes only between the first `BeginWatch` and the last end, is told of all changes of
 * clients, groups and streams, and writes to a viewer by `tell` (JSON) and `show` (binary; the first
 * byte, its kind, differs from those of others). What comes again and again it leaves out for a
 * viewer that `isBehind`.
 */
export interface LiveTopic {
  /** The members of a `watch` that it reads; no other topic has them. */
  readonly members: readonly string[];
  /** Requests beside `watch`, by name: what is called with the value that came. May throw as `plan`. */
  readonly requests?: ReadonlyMap<string, (value: unknown, viewer: LiveViewer) => void>;
  /**
   * Reads its members of a `watch`, and begins nothing; `undefined`: none of it is asked for. Each
   * watch takes the place of the one before, which ends after this one has begun.
   *
   * Failure: throws a `LiveRequestError`; the watch before goes on.
   */
  plan(wanted: JsonObject): BeginWatch | undefined;
  /** Something about clients, groups or streams is different now. */
  changed?(change: Change): void;
  /** A viewer has gone; what it watched has ended. */
  left?(viewer: LiveViewer): void;
}
