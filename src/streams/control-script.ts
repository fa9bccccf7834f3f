import type { StreamController } from '../audio/stream-controller.ts';
import type { StreamProperties } from '../audio/stream-properties.ts';

/** A program that speaks for a stream in place of its source. */
export interface ControlScript extends StreamController {
  /** Releases everything; resolves when the process is gone. */
  stop(): Promise<void>;
}

/** What is needed to start the control script of one stream. */
export interface ControlScriptRequest {
  readonly streamId: string;
  /** Absolute, links resolved, allowed. */
  readonly script: string;
  /** Further arguments, as one text with the quotes of a shell. */
  readonly params: string;
  /** Takes what is played and can be done now. */
  readonly onProperties: (properties: StreamProperties) => void;
}

export type StartControlScript = (request: ControlScriptRequest) => ControlScript;
