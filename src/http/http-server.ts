import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { ServerOpts, Socket } from 'node:net';
import type { AnnouncementDesk } from '../announcements/announcement-desk.ts';
import { maxUploadBytes } from '../announcements/upload-limit.ts';
import type { Access, Login } from '../auth/access.ts';
import { messageOf } from '../base/errors.ts';
import { within } from '../base/time/within.ts';
import type { ClipParts } from '../clips/open-clips.ts';
import type { ControlPeer, ControlPeerContext } from '../control/control-peer.ts';
import { RequestBudget } from '../control/request-budget.ts';
import type { RpcHandler } from '../control/rpc.ts';
import type { LiveServer } from '../live/live-server.ts';
import type { ImageStore } from '../streams/image-store.ts';
import type { TapServer } from '../taps/tap-server.ts';
import { Listener, type ListenerOptions } from '../transport/listener.ts';
import type { WebSocketLink } from '../transport/web-socket-link.ts';
import { answerFailure } from './answer.ts';
import { AnswerQueue } from './answer-queue.ts';
import { authorityRoute } from './authority-route.ts';
import { BodyReader } from './body-reader.ts';
import { clipRoute, isClipPath } from './clip-route.ts';
import { parseTarget } from './exchange.ts';
import { type HealthText, healthRoute } from './health-route.ts';
import { HttpLogin } from './http-login.ts';
import { imageRoute } from './image-route.ts';
import { jsonRpcRoute, postingRoute } from './json-rpc-route.ts';
import { MetricsRoute, type MetricsText } from './metrics-route.ts';
import { OriginCheck, type OriginSettings } from './origin-check.ts';
import { notFound, RefusedRequestError } from './refused-request-error.ts';
import { Routes } from './routes.ts';
import { StaticFiles } from './static-files.ts';
import type { TlsMaterial } from './tls-material.ts';
import { type UpgradedKind, WebSocketUpgrades } from './web-socket-upgrades.ts';

/** Time for the headers of a request, and for the beginning of TLS. */
const headTimeoutMs = 5000;
/** Time for all of a request: sound files are uploaded. Those who read short bodies give them less. */
const requestTimeoutMs = 600_000;
/** For one that is to be announced. */
const uploadTimeoutMs = 60_000;
/** The longest sound file that may be uploaded to be announced, with the form around it. */
const maxFormBytes = maxUploadBytes + 64 * 1024;
/** What all uploads under way may occupy together. */
const maxUploadsBytes = 4 * maxFormBytes;
const timeoutCheckMs = 1000;
/** Time that a connection stays open for the next request. */
const keepAliveTimeoutMs = 5000;
/** Time that a client may take nothing of an answer. */
const stallTimeoutMs = 30_000;
const maxRequestsPerSocket = 1000;
/** Time that answers which have begun get at the end of the server. */
const closeGraceMs = 500;

/** What has to be opened before it can take the place of another. */
interface HttpMaterial {
  /** Makes it a server of HTTPS from the start; absent later: the one at hand. */
  readonly tls?: TlsMaterial | undefined;
  /** Folder of web pages; empty for the built-in one. */
  readonly docRoot: string;
  /** Whether there is a built-in one. */
  readonly web: boolean;
}

export interface HttpServerOptions extends HttpMaterial, Omit<ListenerOptions, 'createServer'> {
  readonly settings: () => OriginSettings;
  readonly access: Access;
  readonly images: ImageStore;
  /** Loaded when the first one is asked for; absent: there is no library. */
  readonly clips?: () => Promise<ClipParts>;
  readonly control: RpcHandler & {
    /** A new control session; `login` when the request has shown credentials. */
    accept(peer: ControlPeer, login?: Login): void;
  };
  /** Takes each new WebSocket for audio. */
  readonly onStream: (link: WebSocketLink) => void;
  readonly metrics?: MetricsText | undefined;
  readonly health?: HealthText | undefined;
  /** What signs the certificate of HTTPS, if that is a private one; absent: there is none. */
  readonly authority?: () => string | undefined;
  /** Absent: none can be made. */
  readonly announcements?: (() => Promise<AnnouncementDesk>) | undefined;
  /** The longest head of a request. */
  readonly maxHeaderBytes: number;
  /** Lets programs listen along; loaded when the first one asks. */
  readonly taps: () => Promise<TapServer>;
  /** Shows what happens at this moment; loaded when the first viewer comes. */
  readonly live: () => Promise<LiveServer>;
  /** Whether there is room for one more of its kind; absent: always. */
  readonly mayBecome?: (kind: UpgradedKind, socket: Socket) => boolean;
  readonly controlPeers: ControlPeerContext;
}

/** The HTTP port: pages, control, figures, and audio for browsers. Source: protocol reference, 10. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #servers: (Server | HttpsServer)[] = [];
  readonly #answers = new AnswerQueue();
  readonly #routes: Routes;
  readonly #upgrades: WebSocketUpgrades;
  readonly #metrics: MetricsRoute;
  readonly #bodies: BodyReader;
  readonly #uploads = new BodyReader({
    limits: { maxRequestBytes: maxFormBytes },
    budget: new RequestBudget({ maxIncompleteBytes: maxUploadsBytes }),
    maxBodyMs: uploadTimeoutMs,
  });
  #files: StaticFiles;
  #listener: Listener | undefined;
  #isClosing = false;

  /** Failure: rejects with a `ConfigError` when an address cannot be bound; nothing stays open. */
  static async open(options: HttpServerOptions): Promise<HttpServer> {
    const opened = new HttpServer(options, await StaticFiles.open(options));
    opened.#listener = await Listener.open({
      ...options,
      createServer: (serverOptions) => opened.#createServer(serverOptions),
    });
    return opened;
  }

  private constructor(options: HttpServerOptions, files: StaticFiles) {
    const { announcements, controlPeers, mayBecome = () => true } = options;
    const { access, clips, control, health, images, live, logger, metrics } = options;
    const { authority = () => undefined, onStream, settings, taps } = options;
    const login = new HttpLogin(access, logger);
    const origins = new OriginCheck(settings, logger);
    this.#options = options;
    this.#files = files;
    this.#bodies = new BodyReader(controlPeers);
    this.#metrics = new MetricsRoute(login, metrics);
    this.#routes = new Routes({
      jsonRpc: jsonRpcRoute({ handler: control, login, origins, bodies: this.#bodies }),
      announce: postingRoute(async (exchange) => {
        if (!announcements) throw notFound(exchange.target.text);
        // With all that announcements need, which most servers never do.
        const { announce } = await import('./announce-route.ts');
        const bodies = this.#uploads;
        await announce(exchange, { desk: announcements, login, origins, bodies });
      }, origins),
      clips: clips && clipRoute({ clips, login, origins }),
      images: imageRoute(images, origins),
      metrics: (exchange) => this.#metrics.get(exchange),
      health: healthRoute({ health, login, origins }),
      authority: authorityRoute(authority),
      files: (exchange) => this.#files.answer(exchange),
    });
    this.#upgrades = new WebSocketUpgrades({
      login,
      origins,
      acceptControl: (peer, login) => control.accept(peer, login),
      onStream,
      taps,
      live,
      mayBecome,
      controlPeers,
    });
  }

  /** The port really bound: differs from the one asked for when that was 0. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** Resolves with what puts this material into use; connections at hand do not notice. */
  async prepare({ tls, ...pages }: HttpMaterial): Promise<() => void> {
    const files = await StaticFiles.open({ ...pages, logger: this.#options.logger });
    return () => {
      this.#files = files;
      // What was measured by the old settings.
      this.#metrics.forget();
      for (const server of this.#servers) {
        if (tls && 'setSecureContext' in server) server.setSecureContext(tls);
      }
    };
  }

  /** Ends all but the WebSockets, which have their owners; answers that have begun get a moment. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#upgrades.close();
    await this.#listener?.close();
    for (const server of this.#servers) server.closeIdleConnections();
    await within(this.#answers.untilAnswered(), closeGraceMs);
    for (const server of this.#servers.splice(0)) server.closeAllConnections();
  }

  #createServer(options: ServerOpts): Server {
    const { tls, maxHeaderBytes } = this.#options;
    const limits = {
      headersTimeout: headTimeoutMs,
      requestTimeout: requestTimeoutMs,
      handshakeTimeout: headTimeoutMs,
      connectionsCheckingInterval: timeoutCheckMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
    };
    const server = tls
      ? createHttpsServer({ ...options, ...limits, ...tls })
      : createHttpServer({ ...options, ...limits });
    server.timeout = stallTimeoutMs;
    server.maxRequestsPerSocket = maxRequestsPerSocket;
    server.on('request', this.#onRequest);
    server.on('checkContinue', this.#onCheckContinue);
    server.on('upgrade', (request, _, head) => this.#onUpgrade(request, head));
    this.#servers.push(server);
    return server;
  }

  readonly #onRequest: RequestListener = (request, response) => {
    const { socket } = request;
    if (this.#isClosing) socket.destroy();
    response.setHeader('Server', 'Zerocast');
    const answer = () => void this.#answer(request, response);
    if (!this.#answers.add(socket, response, answer)) cutOff(socket);
  };

  /** Clients ask this before they send a long body: the right moment to say that it is too long. */
  readonly #onCheckContinue: RequestListener = (request, response) => {
    // The library says by itself whether it wants the clip.
    const isClip = isClipPath(request.url ?? '');
    const isUpload = /^\/announce\b/.test(request.url ?? '');
    const bodies = isUpload ? this.#uploads : this.#bodies;
    if (!isClip && bodies.isTooLong(request)) {
      answerFailure(response, bodies.tooLong());
      return;
    }
    if (!isClip) response.writeContinue();
    this.#onRequest(request, response);
  };

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#routes.answer({ request, response, target: parseTarget(request.url) });
    } catch (error) {
      // A peer that left hears no answer.
      if (response.destroyed) return;
      if (!(error instanceof RefusedRequestError)) {
        const reason = messageOf(error);
        this.#options.logger.error('a request could not be answered', { url: request.url, reason });
      }
      answerFailure(response, error);
    }
  }

  #onUpgrade(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    // Nothing of an earlier answer may be written behind that of the upgrade.
    const isBusy = this.#answers.has(socket) || socket.writableLength > 0;
    if (isBusy || this.#isClosing) socket.destroy();
    else void this.#upgrades.open(request, head);
  }
}

/**
 * Ends a connection in the midst of what Node is reading from it.
 *
 * Node hands on all requests that one read has brought, two thousand if they are short, no matter
 * whether the connection still exists: a hundred such connections would hold up the event loop for
 * seconds. So its parser is told that the next request is faulty. Source: Node.js,
 * lib/_http_common.js, `parserOnHeadersComplete`; a Node without that field reads to the end.
 */
function cutOff(socket: Socket & { parser?: { onIncoming?: unknown } | null }): void {
  socket.destroy();
  if (socket.parser?.onIncoming) socket.parser.onIncoming = () => -1;
}
