import type { Logger } from '../base/logger.ts';
import type { NativeAddonResult } from '../base/native/native-addon.ts';
import { LoopShare } from '../base/time/loop-share.ts';
import { authorityOf } from '../certificates/authority.ts';
import type { Config } from '../config/config.ts';
import { ControlPeer, type ControlPeerContext } from '../control/control-peer.ts';
import type { ControlServer } from '../control/control-server.ts';
import { RequestBudget } from '../control/request-budget.ts';
import { TcpControlWire } from '../control/tcp-control-wire.ts';
import type { HttpServer, HttpServerOptions } from '../http/http-server.ts';
import type { MetricsText } from '../http/metrics-route.ts';
import type { OriginSettings } from '../http/origin-check.ts';
import { loadTlsMaterial, type TlsMaterial } from '../http/tls-material.ts';
import type { PlayerServer } from '../players/player-server.ts';
import type { Admission } from '../transport/admission.ts';
import { Listener, socketServers } from '../transport/listener.ts';
import { TcpLink } from '../transport/tcp-link.ts';

const bytesPerKiB = 1024;

/** What the ports lead to. */
interface ListenersOptions {
  readonly settings: () => Config;
  readonly logger: Logger;
  readonly native: NativeAddonResult;
  readonly server: PlayerServer;
  readonly control: ControlServer;
  /** What all connections pass. */
  readonly admission: Admission;
  /** What both HTTP ports serve alike. */
  readonly http: Pick<
    HttpServerOptions,
    'access' | 'announcements' | 'clips' | 'health' | 'images' | 'live' | 'taps'
  >;
  /** Loads what only they need; called at most once. */
  readonly metrics: () => Promise<MetricsText>;
}

/** All ports of the server. */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #controlPeers: ControlPeerContext;
  #metrics: Promise<MetricsText> | undefined;
  #streaming: Listener | undefined;
  #control: Listener | undefined;
  #http: HttpServer | undefined;
  #https: HttpServer | undefined;
  #certificate: string | undefined;

  constructor(options: ListenersOptions) {
    this.#options = options;
    this.#controlPeers = controlPeerContext(options.settings);
  }

  /** 0 for what is disabled. */
  get ports() {
    return {
      streaming: this.#streaming?.port ?? 0,
      control: this.#control?.port ?? 0,
      http: this.#http?.port ?? 0,
      https: this.#https?.port ?? 0,
    };
  }

  /** That of HTTPS in PEM; `undefined` without. */
  get certificate(): string | undefined {
    return this.#certificate;
  }

  /**
   * Binds all ports, that of the players last: a peer that finds it open finds all open. Peers
   * that connect wait for `release`.
   *
   * Failure: rejects with a `ConfigError` when a port cannot be bound; `close` is to be called.
   */
  async open(): Promise<void> {
    await this.#openControl();
    await this.#openHttp();
    await this.#openHttps();
    await this.#openStreaming();
  }

  /** Serves the peers that wait, and from now on every peer at once. */
  release(): void {
    this.#options.admission.release();
  }

  /**
   * Resolves with what puts into force what can change of `wanted`: certificates, web pages and
   * who may control from where. Connections at hand do not notice.
   *
   * Failure: rejects with a `ConfigError` when the certificate of `wanted` cannot be used.
   */
  async prepare(wanted: Config): Promise<() => void> {
    const logger = this.#options.logger.tagged('HttpServer');
    const { ssl, http } = wanted;
    // Whether clients have to show a certificate stays as it is, and so it goes on to need them.
    const verifyClients = ssl.verifyClients || this.#options.settings().ssl.verifyClients;
    const tls = await loadTlsMaterial({ ...ssl, verifyClients, isWanted: http.sslEnabled, logger });
    const { docRoot, web } = http;
    const applies = await Promise.all([
      this.#http?.prepare({ docRoot, web }),
      this.#https?.prepare({ docRoot, web, tls }),
    ]);
    return () => {
      if (this.#https) this.#certificate = tls?.cert;
      for (const apply of applies) apply?.();
    };
  }

  async close(): Promise<void> {
    this.#options.admission.close();
    await this.#streaming?.close();
    await this.#control?.close();
    await this.#http?.close();
    await this.#https?.close();
  }

  async #openStreaming(): Promise<void> {
    const { enabled, bindToAddress, port } = this.#options.settings().tcpStreaming;
    if (!enabled) return;
    const { native } = this.#options;
    const logger = this.#options.logger.tagged('PlayerServer');
    this.#streaming = await Listener.open({
      addresses: bindToAddress,
      port,
      setting: 'tcp-streaming',
      logger,
      admit: this.#options.admission.admitFor('player'),
      createServer: socketServers((socket) => this.#options.server.accept(new TcpLink(socket))),
      Acceptor: 'addon' in native ? native.addon.Acceptor : undefined,
    });
    logger.info('listening for clients', { port: this.ports.streaming });
  }

  async #openControl(): Promise<void> {
    const { enabled, bindToAddress, port } = this.#options.settings().tcpControl;
    if (!enabled) return;
    const { control } = this.#options;
    const logger = this.#options.logger.tagged('ControlServer');
    this.#control = await Listener.open({
      addresses: bindToAddress,
      port,
      setting: 'tcp-control',
      logger,
      admit: this.#options.admission.admitFor('controller'),
      createServer: socketServers((socket) =>
        control.accept(
          new ControlPeer((peer) => new TcpControlWire(socket, peer), this.#controlPeers),
        ),
      ),
    });
    logger.info('listening for controllers', { port: this.ports.control });
  }

  async #openHttp(): Promise<void> {
    const { enabled, bindToAddress, port } = this.#options.settings().http;
    if (!enabled) return;
    this.#http = await this.#openWeb({ addresses: bindToAddress, port, setting: 'http' });
    this.#log('listening for HTTP and WebSocket', this.#http);
  }

  async #openHttps(): Promise<void> {
    const { ssl, http } = this.#options.settings();
    const logger = this.#options.logger.tagged('HttpServer');
    const tls = await loadTlsMaterial({ ...ssl, isWanted: http.sslEnabled, logger });
    if (!tls) return;
    const { sslBindToAddress: addresses, sslPort: port } = http;
    this.#https = await this.#openWeb({ addresses, port, setting: 'http', tls });
    this.#certificate = tls.cert;
    this.#log('listening for HTTPS and WebSocket', this.#https);
  }

  async #openWeb(at: {
    readonly addresses: readonly string[];
    readonly port: number;
    readonly setting: string;
    readonly tls?: TlsMaterial;
  }): Promise<HttpServer> {
    const { settings, logger, server, control, http, admission } = this.#options;
    const config = settings();
    // Half of the program, which a server without these ports does not load.
    const { HttpServer } = await import('../http/http-server.ts');
    this.#metrics ??= this.#options.metrics();
    return HttpServer.open({
      ...at,
      ...http,
      metrics: await this.#metrics,
      control,
      logger: logger.tagged('HttpServer'),
      docRoot: config.http.docRoot,
      web: config.http.web,
      authority: () => authorityOf(this.#certificate),
      settings: () => originSettings(settings()),
      onStream: (link) => server.accept(link),
      admit: admission.admitFor('http'),
      mayBecome: (kind, socket) => admission.mayBecome(kind, socket),
      maxHeaderBytes: config.limits.maxHttpHeader * bytesPerKiB,
      controlPeers: this.#controlPeers,
    });
  }

  #log(phrase: string, { port }: HttpServer): void {
    this.#options.logger.tagged('HttpServer').info(phrase, { port });
  }
}

/** What the peers of all controllers share, by whichever port they come. */
function controlPeerContext(settings: () => Config): ControlPeerContext {
  const { maxRequest, maxUnread, maxIncompleteRequests } = settings().limits;
  return {
    limits: {
      maxRequestBytes: maxRequest * bytesPerKiB,
      maxQueuedBytes: maxUnread * bytesPerKiB,
    },
    settings: () => ({ peerTimeoutMs: settings().server.peerTimeout }),
    budget: new RequestBudget({ maxIncompleteBytes: maxIncompleteRequests * bytesPerKiB }),
    turns: new LoopShare(),
  };
}

function originSettings(config: Config): OriginSettings {
  return { allowedOrigins: config.http.allowedOrigin, ownNames: ownNames(config) };
}

/** What cover art is asked for under is a name of this server too. */
function ownNames({ http: { host, urlPrefix } }: Config): string[] {
  return URL.canParse(urlPrefix) ? [host, new URL(urlPrefix).hostname] : [host];
}
