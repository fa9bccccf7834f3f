import type { Config } from '../config/config.ts';
import type { ControlServer } from '../control/control-server.ts';
import { TcpControlPeer } from '../control/tcp-control-peer.ts';
import { HttpServer, type HttpServerOptions } from '../http/http-server.ts';
import { loadTlsMaterial, type TlsMaterial } from '../http/tls-material.ts';
import type { Logger } from '../logger.ts';
import type { StreamServer } from '../server/stream-server.ts';
import { Listener, socketServers } from '../transport/listener.ts';
import { TcpLink } from '../transport/tcp-link.ts';

/** What the ports lead to. */
export interface ListenersOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly server: StreamServer;
  readonly control: ControlServer;
  /** What both HTTP ports serve alike. */
  readonly http: Pick<HttpServerOptions, 'access' | 'control' | 'images' | 'metrics'>;
}

/** All ports of the server. */
export class Listeners {
  readonly #options: ListenersOptions;
  #streaming: Listener | undefined;
  #control: Listener | undefined;
  #http: HttpServer | undefined;
  #https: HttpServer | undefined;

  constructor(options: ListenersOptions) {
    this.#options = options;
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

  /**
   * Binds all ports; whoever connects waits for `release`.
   *
   * Failure: rejects with a `ConfigError` when a port cannot be bound; `close` is to be called.
   */
  async open(): Promise<void> {
    await this.#openStreaming();
    await this.#openControl();
    await this.#openHttp();
    await this.#openHttps();
  }

  /** Serves those who wait, and from now on everybody at once. */
  release(): void {}

  async close(): Promise<void> {
    await this.#streaming?.close();
    await this.#control?.close();
    await this.#http?.close();
    await this.#https?.close();
  }

  async #openStreaming(): Promise<void> {
    const { enabled, bindToAddress, port } = this.#options.config.tcpStreaming;
    if (!enabled) return;
    const logger = this.#options.logger.tagged('StreamServer');
    this.#streaming = await Listener.open({
      addresses: bindToAddress,
      port,
      setting: 'tcp-streaming',
      logger,
      createServer: socketServers((socket) => this.#options.server.accept(new TcpLink(socket))),
    });
    logger.info('listening for clients', { port: this.ports.streaming });
  }

  async #openControl(): Promise<void> {
    const { enabled, bindToAddress, port } = this.#options.config.tcpControl;
    if (!enabled) return;
    const { control } = this.#options;
    const logger = this.#options.logger.tagged('ControlServer');
    this.#control = await Listener.open({
      addresses: bindToAddress,
      port,
      setting: 'tcp-control',
      logger,
      createServer: socketServers((socket) => control.accept(new TcpControlPeer(socket))),
    });
    logger.info('listening for controllers', { port: this.ports.control });
  }

  async #openHttp(): Promise<void> {
    const { enabled, bindToAddress, port } = this.#options.config.http;
    if (!enabled) return;
    this.#http = await this.#openWeb({ addresses: bindToAddress, port, setting: 'http' });
    this.#log('listening for HTTP and WebSocket', this.#http);
  }

  async #openHttps(): Promise<void> {
    const { ssl, http } = this.#options.config;
    const logger = this.#options.logger.tagged('HttpServer');
    const tls = await loadTlsMaterial({ ...ssl, isWanted: http.sslEnabled, logger });
    if (!tls) return;
    const { sslBindToAddress: addresses, sslPort: port } = http;
    this.#https = await this.#openWeb({ addresses, port, setting: 'http', tls });
    this.#log('listening for HTTPS and WebSocket', this.#https);
  }

  #openWeb(at: {
    readonly addresses: readonly string[];
    readonly port: number;
    readonly setting: string;
    readonly tls?: TlsMaterial;
  }): Promise<HttpServer> {
    const { config, logger, server, http } = this.#options;
    return HttpServer.open({
      ...at,
      ...http,
      logger: logger.tagged('HttpServer'),
      docRoot: config.http.docRoot,
      allowedOrigins: config.http.allowedOrigin,
      ownNames: ownNames(config),
      onStream: (link) => server.accept(link),
    });
  }

  #log(phrase: string, { port }: HttpServer): void {
    this.#options.logger.tagged('HttpServer').info(phrase, { port });
  }
}

/** What cover art is asked for under is a name of this server too. */
function ownNames({ http: { host, urlPrefix } }: Config): string[] {
  return URL.canParse(urlPrefix) ? [host, new URL(urlPrefix).hostname] : [host];
}
