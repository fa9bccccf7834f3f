import type { Login } from '../auth/access.ts';

/** Who asks: a control session, or one HTTP request. Its identity keeps its own notifications away. */
export interface RpcCaller {
  /** Undefined until the caller has logged in, where that is needed. */
  login: Login | undefined;
  /** For the log. */
  readonly remoteAddress: string;
}

/** Answers requests: one text in, at most one text out. Source: protocol reference, 9.1 to 9.4. */
export interface RpcHandler {
  /**
   * Shape: `text` is one request or a batch; the answer is compact JSON without line ending,
   * `undefined` when there is none. It comes at once unless a request has to wait for something.
   */
  handle(text: string, caller: RpcCaller): string | undefined | Promise<string | undefined>;
}
