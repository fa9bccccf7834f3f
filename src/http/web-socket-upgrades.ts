import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Login } from '../auth/access.ts';
import { ControlPeer, type ControlPeerContext } from '../control/control-peer.ts';
import { WebSocketControlWire } from '../control/web-socket-control-wire.ts';
import type { LiveServer } from '../live/live-server.ts';
import { baseHeaderBytes } from '../protocol/layout.ts';
import { maxJsonBodyBytes } from '../protocol/message-reader.ts';
import type { TapServer } from '../taps/tap-server.ts';
import type { PeerKind } from '../transport/connection-limits.ts';
import { WebSocketLink } from '../transport/web-socket-link.ts';
import { answerFailure } from './answer.ts';
import { parseTarget, type RequestTarget } from './exchange.ts';
import type { HttpLogin } from './http-login.ts';
import type { LiveUpgrade } from './live-upgrade.ts';
import type { OriginCheck } from './origin-check.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import { isTapPath, TapUpgrade } from './tap-upgrade.ts';
import { answerPings, webSocketServer } from './web-socket-server.ts';

/** What a client says beyond a Hello is smaller; a frame waits in memory until it is complete. */
export const maxFrameBytes = baseHeaderBytes + maxJsonBodyBytes;
/** Time to log in, and to take a refusal. */
const upgradeTimeoutMs = 5000;

type Upgrader = (request: IncomingMessage, head: Buffer) => void | Promise<void>;

/** What a connection can become. */
export type UpgradedKind = Exclude<PeerKind, 'http'>;

interface WebSocketUpgradesOptions {
  readonly login: HttpLogin;
  readonly origins: OriginCheck;
  readonly acceptControl: (peer: ControlPeer, login?: Login) => void;
  /** Takes each new WebSocket on `/stream`. */
  readonly onStream: (link: WebSocketLink) => void;
  /** Loaded when the first program asks for a tap. */
  readonly taps: () => Promise<TapServer>;
  /** Loaded when the first viewer comes. */
  readonly live: () => Promise<LiveServer>;
  /** Whether there is room for one more of its kind. */
  readonly mayBecome: (kind: UpgradedKind, socket: Socket) => boolean;
  readonly controlPeers: ControlPeerContext;
}

/** Turns connections into WebSockets, on exactly these paths. Source: protocol reference, 11. */
export class WebSocketUpgrades {
  readonly #options: WebSocketUpgradesOptions;
  /** What each path makes of a connection that asks to become a WebSocket. */
  readonly #upgraders = new Map<string, Upgrader>([
    ['/jsonrpc', (request, head) => this.#openControl(request, head)],
    ['/stream', (request, head) => this.#openStream(request, head)],
    ['/live', (request, head) => this.#openLive(request, head)],
  ]);
  readonly #streams = webSocketServer(maxFrameBytes);
  readonly #controls: ReturnType<typeof webSocketServer>;
  readonly #taps: TapUpgrade;
  #live: LiveUpgrade | undefined;
  #isClosed = false;

  constructor(options: WebSocketUpgradesOptions) {
    this.#options = options;
    this.#controls = webSocketServer(options.controlPeers.limits.maxRequestBytes);
    const { login, taps } = options;
    this.#taps = new TapUpgrade({
      login,
      taps,
      takePlace: (request) => this.#takePlace('tap', request),
    });
  }

  /** Takes over the connection of `request`; `head` is what came behind it. */
  async open(request: IncomingMessage, head: Buffer): Promise<void> {
    const { socket } = request;
    // Only until `ws` takes over: a refusal that is not taken does not stay for ever.
    socket.setTimeout(upgradeTimeoutMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    try {
      const target = parseTarget(request.url);
      const upgrader = this.#upgraderOf(target);
      if (!upgrader) throw notFound(target.text);
      this.#options.origins.check(request);
      await upgrader(request, head);
    } catch (error) {
      if (!socket.destroyed) refuse(request, error);
    }
  }

  /** Refuses peers that are still logging in. */
  close(): void {
    this.#isClosed = true;
  }

  #upgraderOf(target: RequestTarget): Upgrader | undefined {
    if (!isTapPath(target.path)) return this.#upgraders.get(target.path);
    return (request, head) => this.#taps.open({ request, head }, target);
  }

  #openStream(request: IncomingMessage, head: Buffer): void {
    this.#takePlace('player', request);
    // Players log in by their Hello.
    this.#streams.handleUpgrade(request, request.socket, head, (webSocket) =>
      this.#options.onStream(new WebSocketLink(webSocket, request.socket)),
    );
  }

  async #openControl(request: IncomingMessage, head: Buffer): Promise<void> {
    const login = await this.#options.login.shown(request);
    this.#takePlace('controller', request);
    this.#controls.handleUpgrade(request, request.socket, head, (webSocket: WebSocket) => {
      answerPings(webSocket);
      const { acceptControl, controlPeers } = this.#options;
      const wireOf = (peer: ControlPeer) =>
        new WebSocketControlWire(webSocket, request.socket, peer);
      acceptControl(new ControlPeer(wireOf, controlPeers), login);
    });
  }

  async #openLive(request: IncomingMessage, head: Buffer): Promise<void> {
    const { LiveUpgrade } = await import('./live-upgrade.ts');
    this.#live ??= new LiveUpgrade({
      ...this.#options,
      takePlace: (one) => this.#takePlace('controller', one),
    });
    await this.#live.open(request, head);
  }

  #takePlace(kind: UpgradedKind, { socket }: IncomingMessage): void {
    if (this.#isClosed) throw new RefusedRequestError(503, 'The server stops');
    if (this.#options.mayBecome(kind, socket)) return;
    throw new RefusedRequestError(503, `Too many ${kind}s: try again later`, { 'Retry-After': 10 });
  }
}

/** Node offers no response to an upgrade. Behind an answer that is still under way nothing may be written. */
function refuse(request: IncomingMessage, error: unknown): void {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(socket);
  } catch {
    socket.destroy();
    return;
  }
  response.once('finish', () => socket.destroySoon());
  answerFailure(response, error);
}
