import type { IncomingMessage } from 'node:http';
import type { ControlPeerContext } from '../control/control-peer.ts';
import { type LiveServer, maxLiveTextBytes } from '../live/live-server.ts';
import { livePermission } from '../live/live-session.ts';
import type { HttpLogin } from './http-login.ts';
import { RefusedRequestError } from './refused-request-error.ts';
import { answerPings, webSocketServer } from './web-socket-server.ts';

interface LiveUpgradeOptions {
  readonly login: HttpLogin;
  readonly live: () => Promise<LiveServer>;
  /** Failure: throws a `RefusedRequestError` when there is no room for one more. */
  readonly takePlace: (request: IncomingMessage) => void;
  readonly controlPeers: ControlPeerContext;
}

/** Makes a viewer of a connection; loaded for the first one. Source: docs/protocol.md, "Live". */
export class LiveUpgrade {
  readonly #options: LiveUpgradeOptions;
  readonly #webSockets = webSocketServer(maxLiveTextBytes);

  constructor(options: LiveUpgradeOptions) {
    this.#options = options;
  }

  /** Failure: rejects with a `RefusedRequestError` that says how to mend it. */
  async open(request: IncomingMessage, head: Buffer): Promise<void> {
    const { socket } = request;
    // Browsers cannot show it with the request: they log in by the first message.
    const login = await this.#options.login.shown(request);
    if (login?.permits(livePermission) === false) {
      throw new RefusedRequestError(
        403,
        `Forbidden: the role needs the permission ${livePermission}`,
      );
    }
    const live = await this.#options.live();
    // Nothing more is kept for a peer that has gone meanwhile.
    if (socket.destroyed) return;
    this.#options.takePlace(request);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      answerPings(webSocket);
      live.accept({ webSocket, socket, login }, this.#options.controlPeers);
    });
  }
}
