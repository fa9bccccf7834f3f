import type { Login } from '../auth/access.ts';

/** A control session, or one HTTP request. Its identity keeps its own notifications away. */
export interface RpcCaller {
  /** Undefined until the caller has logged in, where that is needed. */
  login: Login | undefined;
  /** For the log. */
  readonly remoteAddress: string;
  /**
   * What it is told of beyond what every controller knows: it has used methods of that kind. Absent
   * of callers that are told nothing.
   */
  readonly interests?: Set<Interest>;
}

/** Kinds of notifications that controllers made for `snapserver` do not know. */
export type Interest = 'Announce' | 'Clips' | 'Scene';

/** The answer to one text: `undefined` when there is none, a promise when something is waited for. */
export type RpcAnswer = string | undefined | Promise<string | undefined>;

/** Answers requests: one text in, at most one text out. Source: protocol reference, 9.1 to 9.4. */
export interface RpcHandler {
  /** Shape: `text` is one request or a batch; the answer is compact JSON without line ending. */
  handle(text: string, caller: RpcCaller): RpcAnswer;
}
