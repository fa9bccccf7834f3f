import { setTimeout as delay } from 'node:timers/promises';
import type { Access, Login } from '../auth/access.ts';
import type { Logger } from '../base/logger.ts';
import { SessionLog } from '../players/session-log.ts';
import type { Change, Requester } from '../streams/change.ts';
import type { ControlPeer } from './control-peer.ts';
import { ControlSession, type ControlSessionHost } from './control-session.ts';
import { Notifier, type NotifierIntervals, type SpecialNotification } from './notifier.ts';
import type { RpcAnswer, RpcCaller, RpcHandler } from './rpc.ts';
import type { StatusTree } from './status-tree.ts';

/** How long the end of the server waits for controllers that still read what they were told. */
const maxPartingMs = 1000;
const lookMs = 10;

export interface ControlServerOptions {
  readonly access: Access;
  readonly handler: RpcHandler;
  readonly status: StatusTree;
  readonly logger: Logger;
  /** A controller that has to log in and does not within this time is closed. */
  readonly settings: () => { readonly loginTimeoutMs: number };
  /** Of notifications; absent: the usual ones. */
  readonly intervals?: Partial<NotifierIntervals>;
}

/** Keeps the control sessions: answers each, and tells all others what has changed. */
export class ControlServer implements ControlSessionHost, RpcHandler {
  readonly #options: ControlServerOptions;
  readonly #logger: Logger;
  readonly #sessionLog: SessionLog;
  readonly #sessions = new Set<ControlSession>();
  readonly #notifier: Notifier;
  #requests = 0;
  #isClosed = false;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('ControlServer');
    this.#sessionLog = new SessionLog(this.#logger);
    const { status, intervals } = options;
    this.#notifier = new Notifier({ status, receivers: this.#sessions, intervals });
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Who they are, in the order in which they have come. */
  get peers(): readonly { readonly address: string; readonly transport: string; user?: string }[] {
    return [...this.#sessions].map(({ remoteAddress: address, transport, login }) => ({
      address,
      transport,
      ...(login?.user && { user: login.user }),
    }));
  }

  /** Since the start: texts, where a batch counts once, and messages, counted once per receiver. */
  get figures(): { readonly requests: number; readonly notifications: number } {
    return {
      requests: this.#requests,
      notifications: this.#notifier.sent,
    };
  }

  /** A new peer; `login` when it has shown its credentials already. */
  accept(peer: ControlPeer, login?: Login): void {
    if (this.#isClosed) peer.close('the server stops');
    else this.#open(peer, login);
  }

  /** Answers a request that comes without a session. */
  handle(text: string, caller: RpcCaller): RpcAnswer {
    return this.#options.handler.handle(text, caller);
  }

  /** Tells every controller but `by`. */
  announce(change: Change, by?: Requester): void {
    if (!this.#isClosed) this.#notifier.announce(change, by);
  }

  /** Tells the controllers that know this kind of notification. */
  tell(special: SpecialNotification): void {
    if (!this.#isClosed) this.#notifier.tell(special);
  }

  /**
   * After a change of the users: ends the sessions whose login does not hold any more. Their
   * controllers come back and log in if they can. Where no login is needed from now on,
   * each session has the anonymous one.
   */
  reviewLogins(holds: (login: Login) => boolean): void {
    for (const session of [...this.#sessions]) {
      session.login ??= this.#options.access.anonymous;
      if (session.login && !holds(session.login)) session.close('its login does not hold any more');
    }
  }

  /** Resolves when what is queued for peers has gone out, or after `maxPartingMs`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#notifier.stop();
    const parting = [...this.#sessions];
    for (const session of parting) session.close('the server stops');
    const isGone = () => parting.every(({ queuedBytes }) => queuedBytes === 0);
    for (let looks = maxPartingMs / lookMs; looks > 0 && !isGone(); looks -= 1) await delay(lookMs);
    this.#sessionLog.stop();
  }

  onRequest(): void {
    this.#requests += 1;
  }

  onClose(session: ControlSession, reason: string, isFault: boolean): void {
    this.#sessions.delete(session);
    const { remoteAddress: address, transport } = session;
    this.#sessionLog.add('closed', address, {
      level: isFault ? 'warn' : 'info',
      phrase: 'controller disconnected',
      fields: { address, transport, reason },
    });
  }

  #open(peer: ControlPeer, login: Login | undefined): void {
    const { access, handler, settings } = this.#options;
    const session = new ControlSession(
      {
        peer,
        login: login ?? access.anonymous,
        handler,
        logger: this.#logger,
        loginTimeoutMs: settings().loginTimeoutMs,
      },
      this,
    );
    this.#sessions.add(session);
    const { remoteAddress: address, transport } = peer;
    this.#sessionLog.add('created', address, {
      level: 'info',
      phrase: 'controller connected',
      fields: { address, transport },
    });
    session.open();
  }
}
