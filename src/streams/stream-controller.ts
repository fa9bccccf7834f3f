import type { StreamProperties } from './stream-properties.ts';

/** The player behind a stream, which controllers can ask to pause, skip, seek and so on. */
export interface StreamController {
  readonly properties: StreamProperties;
  /**
   * Shape: `command` and `params` as in `Stream.Control`, checked by the caller.
   * Failure: rejects with an `RpcError` when the player refuses, is gone, or does not answer.
   */
  control(command: string, params?: Readonly<Record<string, number>>): Promise<void>;
  /** Failure: as `control`. */
  setProperty(name: string, value: boolean | number | string): Promise<void>;
  /** Lets go of everything; resolves when the process is gone. */
  stop(): Promise<void>;
}

/** What is needed to start the player of one stream. */
export interface PlayerRequest {
  readonly streamId: string;
  /** The control script: absolute, links resolved, allowed. */
  readonly script: string;
  /** Further arguments, as one text with the quotes of a shell. */
  readonly params: string;
  /** The properties are other ones now. */
  readonly onProperties: () => void;
}

export type StartPlayer = (request: PlayerRequest) => StreamController;
