import type { Access, Login } from '../auth/access.ts';
import type { Logger } from '../logger.ts';
import type { Change, Requester } from '../server/change.ts';
import type { ControlPeer } from './control-peer.ts';
import type { RpcHandler } from './rpc.ts';
import type { StatusTree } from './status-tree.ts';

export interface ControlServerOptions {
  readonly access: Access;
  readonly handler: RpcHandler;
  readonly status: StatusTree;
  readonly logger: Logger;
}

/** Keeps the control sessions: answers each, and tells all others what has changed. */
export class ControlServer {
  constructor(_options: ControlServerOptions) {}

  get sessionCount(): number {
    return 0;
  }

  /** A new peer; `login` when it has shown its credentials already. */
  accept(_peer: ControlPeer, _login?: Login): void {}

  /** Tells everybody but `by`. */
  announce(_change: Change, _by?: Requester): void {}

  close(): void {}
}
