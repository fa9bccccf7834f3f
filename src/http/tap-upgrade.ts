import type { IncomingMessage } from 'node:http';
import type { Login } from '../auth/access.ts';
import { TapError, type TapFault } from '../taps/tap-error.ts';
import type { TapPlan, TapServer } from '../taps/tap-server.ts';
import type { HttpLogin } from './http-login.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import { answerPings, webSocketServer } from './web-socket-server.ts';

/** What a program says on a tap is one short question. */
const maxQuestionBytes = 1024;
const permission = 'Tap';
const statusOf: Readonly<Record<TapFault, number>> = {
  'no-stream': 404,
  'bad-request': 400,
  'no-audio': 503,
};

interface TapUpgradeOptions {
  readonly login: HttpLogin;
  /** Loaded when the first one asks. */
  readonly taps: () => Promise<TapServer>;
  /** Failure: throws a `RefusedRequestError` when there is no room for one more. */
  readonly takePlace: (request: IncomingMessage) => void;
}

/** Makes a tap of a connection. Source: docs/protocol.md, "Taps". */
export class TapUpgrade {
  readonly #options: TapUpgradeOptions;
  readonly #webSockets = webSocketServer(maxQuestionBytes);

  constructor(options: TapUpgradeOptions) {
    this.#options = options;
  }

  /** Failure: rejects with a `RefusedRequestError` that says how to mend it. */
  async open(
    { request, head }: { readonly request: IncomingMessage; readonly head: Buffer },
    { path, query }: { readonly path: string; readonly query: string },
  ): Promise<void> {
    const login = await this.#permitted(request);
    const taps = await this.#options.taps();
    const plan = planOf(taps, { path, query });
    // Nothing more is kept for a peer that has gone meanwhile.
    if (request.socket.destroyed) return;
    this.#options.takePlace(request);
    this.#webSockets.handleUpgrade(request, request.socket, head, (webSocket) => {
      answerPings(webSocket);
      void taps.accept(webSocket, plan, () => login.permits(permission));
    });
  }

  async #permitted(request: IncomingMessage): Promise<Login> {
    const login = await this.#options.login.required(request);
    if (login.permits(permission)) return login;
    throw new RefusedRequestError(403, `Forbidden: the role needs the permission ${permission}`);
  }
}

/** Whether a path is that of a tap, as far as its shape goes. */
export function isTapPath(path: string): boolean {
  return tapPath.test(path);
}

const tapPath = /^\/streams\/([^/]+)\/tap$/;

function planOf(
  taps: TapServer,
  { path, query }: { readonly path: string; readonly query: string },
): TapPlan {
  try {
    return taps.plan(decodeURIComponent(tapPath.exec(path)?.[1] ?? ''), query);
  } catch (error) {
    if (error instanceof TapError) {
      throw new RefusedRequestError(statusOf[error.fault], error.message);
    }
    if (error instanceof URIError) throw notFound(path);
    throw error;
  }
}
