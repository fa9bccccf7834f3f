import type { IncomingMessage } from 'node:http';
import type { Access, Login } from '../auth/access.ts';
import { refusalReason } from '../auth/login-errors.ts';
import { RpcError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { addressOf } from '../base/net/remote-address.ts';
import { LogLimiter } from '../base/time/log-limiter.ts';
import { RefusedRequestError } from './refused-request-error.ts';

const challenge = { 'WWW-Authenticate': 'Basic realm="Zerocast", charset="UTF-8"' };

/** The user who asks, by the `Authorization` header of a request. */
export class HttpLogin {
  readonly #access: Access;
  readonly #logger: Logger;
  readonly #refusalLog = new LogLimiter();

  constructor(access: Access, logger: Logger) {
    this.#access = access;
    this.#logger = logger;
  }

  /**
   * The login that a request shows; `undefined` without credentials, and while none are needed:
   * then the header is that of a proxy in front.
   *
   * Failure: rejects with a `RefusedRequestError` when the credentials are wrong.
   */
  async shown({ headers, socket }: IncomingMessage): Promise<Login | undefined> {
    const { authorization } = headers;
    if (this.#access.anonymous || authorization === undefined) return undefined;
    const [, scheme = '', param = ''] = /^(\S+) +(\S.*)$/.exec(authorization) ?? [];
    const remoteAddress = addressOf(socket);
    try {
      return await this.#access.login({ scheme, param }, remoteAddress);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (this.#refusalLog.allows()) {
        this.#logger.warn('login refused', { remoteAddress, reason: refusalReason(error) });
      }
      throw unauthorized(error.message);
    }
  }

  /** Failure: rejects with a `RefusedRequestError` for a peer that is not logged in. */
  async required(request: IncomingMessage): Promise<Login> {
    const login = this.#access.anonymous ?? (await this.shown(request));
    if (!login) throw unauthorized('Unauthorized: log in by an Authorization header');
    return login;
  }
}

function unauthorized(message: string): RefusedRequestError {
  return new RefusedRequestError(401, message, challenge);
}
