import type { Severity } from './severity.ts';

/** Where finished lines go. */
export interface LogSink {
  /**
   * Takes one line without its line end; never waits and never throws.
   *
   * Failure: returns false when the line was dropped because no reader takes the earlier ones.
   */
  write(line: string, severity: Severity): boolean;
  /** Writes what is still queued before the process ends. */
  flushSync(): void;
  /** Resolves when everything is written, or after a second at most. */
  close(): Promise<void>;
}

/** Drops every line. */
export const nullSink: LogSink = {
  write: () => true,
  flushSync: () => {},
  close: async () => {},
};

/** How long the end of the process waits for a reader that takes nothing. */
export const closeTimeoutMs = 1000;

/** What may lie in memory when a reader takes nothing; further lines are dropped and counted. */
export const maxQueuedBytes = 1024 * 1024;
