import type { Login } from '../auth/access.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { ControlMessage, type ControlPeer } from './control-peer.ts';
import type { NotificationReceiver } from './notifier.ts';
import type { Interest, RpcAnswer, RpcCaller, RpcHandler } from './rpc.ts';
import { errorText } from './rpc-answers.ts';
import { unexpectedFailure } from './rpc-errors.ts';

/** Requests of one session that wait for something; it is not read from while there are as many. */
export const maxPending = 64;
/** Their characters: few long ones are as many. */
export const maxPendingLength = 256 * 1024;

/** What a session tells the server that keeps it. */
export interface ControlSessionHost {
  onRequest(): void;
  /** Called exactly once. */
  onClose(session: ControlSession, reason: string, isFault: boolean): void;
}

interface ControlSessionOptions {
  readonly peer: ControlPeer;
  /** What the peer may from the beginning. */
  readonly login: Login | undefined;
  readonly handler: RpcHandler;
  readonly logger: Logger;
  /** A peer that has to log in and does not within this time is closed. */
  readonly loginTimeoutMs: number;
}

/** One controller: its requests are answered, and it is told what others have changed. */
export class ControlSession implements RpcCaller, NotificationReceiver {
  login: Login | undefined;
  readonly interests = new Set<Interest>();
  readonly #options: ControlSessionOptions;
  readonly #host: ControlSessionHost;
  #loginTimer: NodeJS.Timeout | undefined;
  #pending = 0;
  #pendingLength = 0;
  #statusHeardMs = Number.NEGATIVE_INFINITY;
  #hasUnreadStatus = false;
  #hasEnded = false;
  #isClosed = false;

  constructor(options: ControlSessionOptions, host: ControlSessionHost) {
    this.#options = options;
    this.#host = host;
    this.login = options.login;
  }

  get remoteAddress(): string {
    return this.#options.peer.remoteAddress;
  }

  get transport(): ControlPeer['transport'] {
    return this.#options.peer.transport;
  }

  get isListening(): boolean {
    return !this.#isClosed && this.login !== undefined;
  }

  permits(permission: string): boolean {
    return this.login?.permits(permission) === true;
  }

  get statusHeardMs(): number {
    return this.#statusHeardMs;
  }

  /** What its peer has not taken yet; also of one that was closed and still reads. */
  get queuedBytes(): number {
    return this.#options.peer.queuedBytes;
  }

  get hasUnreadStatus(): boolean {
    return this.#hasUnreadStatus && this.queuedBytes > 0;
  }

  get isLoggedIn(): boolean {
    return this.login !== undefined;
  }

  /** Begins to read. */
  open(): void {
    const { peer, loginTimeoutMs } = this.#options;
    if (!this.isLoggedIn) this.#awaitLogin(loginTimeoutMs);
    peer.open({
      isLoggedIn: () => this.isLoggedIn,
      onText: (text) => this.#onText(text),
      onEnd: () => this.#onEnd(),
      onClose: (reason, isFault) => {
        this.#isClosed = true;
        clearTimeout(this.#loginTimer);
        this.#host.onClose(this, reason, isFault);
      },
    });
  }

  send(message: ControlMessage): void {
    if (this.#isClosed) return;
    if (message.tellsStreams) this.#statusHeardMs = performance.now();
    this.#hasUnreadStatus = message.tellsStreams || this.hasUnreadStatus;
    this.#options.peer.send(message);
  }

  close(reason: string): void {
    this.#options.peer.close(reason);
  }

  #awaitLogin(loginTimeoutMs: number): void {
    this.#loginTimer = setTimeout(() => {
      if (!this.isLoggedIn) this.close(`no login within ${loginTimeoutMs} ms`);
    }, loginTimeoutMs);
  }

  #onText(text: string): void {
    if (this.#isClosed) return;
    this.#host.onRequest();
    const answer = this.#ask(text);
    if (answer instanceof Promise) this.#await(answer, text.length);
    else this.#answer(answer);
  }

  #ask(text: string): RpcAnswer {
    try {
      return this.#options.handler.handle(text, this);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #await(answer: Promise<string | undefined>, length: number): void {
    this.#pending += 1;
    this.#pendingLength += length;
    if (this.#isFull) this.#options.peer.pause();
    const settled = answer.catch((error: unknown) => this.#failed(error));
    void settled.then((text) => this.#onAnswer(text, length));
  }

  #onAnswer(text: string | undefined, length: number): void {
    const wasFull = this.#isFull;
    this.#pending -= 1;
    this.#pendingLength -= length;
    this.#answer(text);
    if (wasFull && !this.#isFull) this.#options.peer.resume();
    this.#closeWhenDone();
  }

  get #isFull(): boolean {
    return this.#pending >= maxPending || this.#pendingLength >= maxPendingLength;
  }

  #answer(text: string | undefined): void {
    if (text !== undefined) this.send(new ControlMessage(text));
  }

  /** A fault of ours: one request less, and nothing else. */
  #failed(error: unknown): string {
    this.#options.logger.error('a request failed unexpectedly', { reason: messageOf(error) });
    return errorText(null, unexpectedFailure());
  }

  #onEnd(): void {
    this.#hasEnded = true;
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#hasEnded && this.#pending === 0) this.close('closed by the peer');
  }
}
