import { AudioStream } from './audio/audio-stream.ts';
import { ChunkPool } from './audio/chunk-pool.ts';
import {
  parseStreamOptions,
  type StreamDefaults,
  type StreamOptions,
} from './audio/stream-options.ts';
import { monotonicClock } from './clock.ts';
import type { Config } from './config/config.ts';
import { messageOf, SourceError } from './errors.ts';
import type { Logger } from './logger.ts';
import { Registry } from './server/registry.ts';
import { StatusReporter } from './server/status-reporter.ts';
import { StreamChannel } from './server/stream-channel.ts';
import { StreamServer } from './server/stream-server.ts';
import { Broadcast, playablePastMs } from './transport/broadcast.ts';
import type { FanOut } from './transport/fan-out.ts';
import { Listener, socketServers } from './transport/listener.ts';
import { loadNativeAddon } from './transport/native-addon.ts';
import { autoZeroCopyMinBytes, type ZeroCopyOptions } from './transport/native-fan-out.ts';
import { openFanOut } from './transport/open-fan-out.ts';
import { TcpLink } from './transport/tcp-link.ts';
import { WebSocketListener } from './transport/web-socket-listener.ts';

/** Clients remembered beyond their connection; the longest absent is forgotten first. */
const maxKnownClients = 10_000;
/** `resync_tolerance = auto`: a share of the buffer, but never more than this. */
const autoToleranceShare = 4;
const maxAutoToleranceMs = 250;
/** Turns of the event loop that broken-off writes may take to report their end. */
const maxDrainTurns = 100;

export interface ApplicationOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Check all chunks for writes after their seal: for tests. */
  readonly verifySeals?: boolean;
  /** Time between two reports of the statistics: for tests. */
  readonly statusIntervalMs?: number;
}

/** The whole server: builds every part once and wires it. */
export class Application {
  readonly pool: ChunkPool;
  readonly server: StreamServer;
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #fanOut: FanOut;
  readonly #statusReporter: StatusReporter;
  #listener: Listener | undefined;
  #webSocketListener: WebSocketListener | undefined;

  /** Failure: rejects with a `ConfigError` when a port cannot be bound; nothing stays open. */
  static async start(options: ApplicationOptions): Promise<Application> {
    const application = new Application(options);
    try {
      await application.#startStreams();
      await application.#listen();
      await application.#listenForHttp();
    } catch (error) {
      await application.close();
      throw error;
    }
    return application;
  }

  private constructor(options: ApplicationOptions) {
    const { config, logger, verifySeals = false, statusIntervalMs } = options;
    this.#config = config;
    this.#logger = logger;
    const native = loadNativeAddon();
    this.pool = new ChunkPool({
      verifySeals,
      ...('addon' in native && { allocate: native.addon.allocateSlab }),
    });
    this.#fanOut = openFanOut({
      pool: this.pool,
      native,
      zeroCopy: zeroCopyOptions(config),
      logger: logger.tagged('Zerocast'),
    });
    this.server = new StreamServer({
      clock: monotonicClock,
      logger,
      fanOut: this.#fanOut,
      registry: new Registry({
        bufferMs: config.stream.buffer,
        initialVolume: config.streamingClient.initialVolume,
        maxClients: maxKnownClients,
        nowMs: Date.now,
      }),
      sendToMuted: config.stream.sendToMuted,
      helloTimeoutMs: config.tcpStreaming.helloTimeout,
      stallTimeoutMs: config.tcpStreaming.stallTimeout,
    });
    this.#statusReporter = new StatusReporter({
      server: this.server,
      pool: this.pool,
      logger,
      ...(statusIntervalMs !== undefined && { intervalMs: statusIntervalMs }),
    });
  }

  /** The port that clients connect to; 0 when streaming over TCP is disabled. */
  get streamingPort(): number {
    return this.#listener?.port ?? 0;
  }

  /** The port of HTTP and WebSocket; 0 when it is disabled. */
  get httpPort(): number {
    return this.#webSocketListener?.port ?? 0;
  }

  /**
   * Closes listeners, sessions, sources and children, in this order.
   *
   * Failure: rejects with an `AssertionError` when a chunk did not come home.
   */
  async close(): Promise<void> {
    this.#statusReporter.close();
    await this.#listener?.close();
    await this.#webSocketListener?.close();
    await this.server.close();
    await this.#fanOut.close();
    // Sockets that were destroyed with a write under way report it in the next turns of the loop.
    for (let turn = 0; turn < maxDrainTurns && !this.pool.isFull; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.pool.close();
  }

  async #startStreams(): Promise<void> {
    for (const address of this.#config.stream.source) {
      const channel = this.#buildChannel(address);
      if (!channel) continue;
      await channel.stream.start();
      this.server.addChannel(channel);
    }
  }

  #buildChannel(address: string): StreamChannel | undefined {
    try {
      const options = parseStreamOptions(address, this.#streamDefaults());
      if (this.server.channels.has(options.name)) {
        throw new SourceError(
          'duplicate-name',
          `two streams are named "${options.name}": the second one is left out, rename it`,
        );
      }
      return this.#wireChannel(options);
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.#logger.tagged('Stream').error('stream left out', { reason: messageOf(error) });
      return undefined;
    }
  }

  #wireChannel(options: StreamOptions): StreamChannel {
    const { stream } = this.#config;
    const logger = this.#logger;
    const broadcast = new Broadcast(this.#fanOut, monotonicClock, {
      bufferMs: stream.buffer,
      sendIntervalMs: stream.sendInterval,
      instantStart: stream.instantStart,
      burstBytes: stream.instantStartBurst * 1024,
    });
    const audioStream = new AudioStream(options, {
      pool: this.pool,
      clock: monotonicClock,
      logger,
      onChunk: (chunk) => broadcast.publish(chunk),
      onOutdated: () => broadcast.clear(),
      onState: (state) => {
        logger.tagged('Stream').info('state changed', { stream: options.name, state });
        if (state === 'disabled') this.server.reroute();
      },
    });
    return new StreamChannel(audioStream, broadcast);
  }

  #streamDefaults(): StreamDefaults {
    const { stream } = this.#config;
    const autoToleranceMs = Math.min(maxAutoToleranceMs, stream.buffer / autoToleranceShare);
    return {
      format: stream.sampleformat,
      codec: stream.codec,
      chunkMs: stream.chunkMs,
      bufferMs: stream.buffer,
      pastMs: playablePastMs(stream.buffer),
      resyncToleranceMs:
        stream.resyncTolerance === 'auto' ? autoToleranceMs : stream.resyncTolerance,
    };
  }

  async #listen(): Promise<void> {
    const { enabled, bindToAddress, port } = this.#config.tcpStreaming;
    if (!enabled) return;
    const logger = this.#logger.tagged('StreamServer');
    this.#listener = await Listener.open({
      addresses: bindToAddress,
      port,
      setting: 'tcp-streaming',
      logger,
      createServer: socketServers((socket) => this.server.accept(new TcpLink(socket))),
    });
    logger.info('listening for clients', { port: this.streamingPort });
  }

  async #listenForHttp(): Promise<void> {
    const { enabled, bindToAddress, port } = this.#config.http;
    if (!enabled) return;
    const logger = this.#logger.tagged('HttpServer');
    this.#webSocketListener = await WebSocketListener.open({
      addresses: bindToAddress,
      port,
      setting: 'http',
      logger,
      onLink: (link) => this.server.accept(link),
    });
    logger.info('listening for WebSocket clients', { port: this.httpPort });
  }
}

function zeroCopyOptions({ stream }: Config): ZeroCopyOptions | undefined {
  if (!stream.zerocopy) return undefined;
  const minBytes =
    stream.zerocopyMinBytes === 'auto' ? autoZeroCopyMinBytes : stream.zerocopyMinBytes;
  return { minBytes, mode: stream.zerocopyMode };
}
