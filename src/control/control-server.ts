import type { Access, Login } from '../auth/access.ts';
import type { Logger } from '../logger.ts';
import type { Change, Requester } from '../server/change.ts';
import { LogBrake } from '../transport/log-brake.ts';
import type { ControlPeer } from './control-peer.ts';
import { ControlSession, type ControlSessionHost } from './control-session.ts';
import { Notifier, type NotifierIntervals } from './notifier.ts';
import type { RpcHandler } from './rpc.ts';
import type { StatusTree } from './status-tree.ts';

/** Controllers at the same time; a household has some dozens. */
export const maxSessions = 1000;

export interface ControlServerOptions {
  readonly access: Access;
  readonly handler: RpcHandler;
  readonly status: StatusTree;
  readonly logger: Logger;
  /** Absent: `maxSessions`. */
  readonly maxSessions?: number;
  /** Of notifications; absent: the usual ones. */
  readonly intervals?: Partial<NotifierIntervals>;
}

/** Since the start. */
export interface ControlFigures {
  /** Texts: a batch counts once. */
  readonly requests: number;
  /** Counted once per receiver. */
  readonly notifications: number;
  /** Peers for which there was no room. */
  readonly refused: number;
}

/** Keeps the control sessions: answers each, and tells all others what has changed. */
export class ControlServer implements ControlSessionHost {
  readonly #options: ControlServerOptions;
  readonly #logger: Logger;
  readonly #sessions = new Set<ControlSession>();
  readonly #notifier: Notifier;
  readonly #refusalLog = new LogBrake();
  #requests = 0;
  #refused = 0;
  #isClosed = false;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('ControlServer');
    const { status, intervals } = options;
    this.#notifier = new Notifier({ status, receivers: this.#sessions, intervals });
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get figures(): ControlFigures {
    return {
      requests: this.#requests,
      notifications: this.#notifier.sent,
      refused: this.#refused,
    };
  }

  /** A new peer; `login` when it has shown its credentials already. */
  accept(peer: ControlPeer, login?: Login): void {
    if (this.#isClosed) peer.close('the server stops');
    else if (this.#sessions.size >= this.#maxSessions) this.#refuse(peer);
    else this.#open(peer, login);
  }

  /** Tells everybody but `by`. */
  announce(change: Change, by?: Requester): void {
    if (!this.#isClosed) this.#notifier.announce(change, by);
  }

  /** What is queued for peers still goes out. */
  close(): void {
    this.#isClosed = true;
    this.#notifier.stop();
    for (const session of [...this.#sessions]) session.close('the server stops');
  }

  onRequest(): void {
    this.#requests += 1;
  }

  onClose(session: ControlSession, reason: string, isFault: boolean): void {
    this.#sessions.delete(session);
    const { remoteAddress: address, transport } = session;
    this.#logger[isFault ? 'warn' : 'info']('controller disconnected', {
      address,
      transport,
      reason,
    });
  }

  get #maxSessions(): number {
    return this.#options.maxSessions ?? maxSessions;
  }

  #open(peer: ControlPeer, login: Login | undefined): void {
    const { access, handler } = this.#options;
    const session = new ControlSession(
      { peer, login: login ?? access.anonymous, handler, logger: this.#logger },
      this,
    );
    this.#sessions.add(session);
    const { remoteAddress: address, transport } = peer;
    this.#logger.info('controller connected', { address, transport });
    session.open();
  }

  #refuse(peer: ControlPeer): void {
    this.#refused += 1;
    if (this.#refusalLog.lets()) {
      const { remoteAddress: address, transport } = peer;
      this.#logger.warn('too many controllers: refused one more', {
        address,
        transport,
        limit: this.#maxSessions,
      });
    }
    peer.close('too many controllers');
  }
}
