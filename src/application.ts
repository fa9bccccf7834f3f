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
import { StreamChannel } from './server/stream-channel.ts';
import { StreamServer } from './server/stream-server.ts';
import { Broadcast, playablePastMs } from './transport/broadcast.ts';
import type { FanOut } from './transport/fan-out.ts';
import { Listener } from './transport/listener.ts';
import { loadNativeAddon } from './transport/native-addon.ts';
import { NodeFanOut } from './transport/node-fan-out.ts';

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
}

/** The whole server: builds every part once and wires it. */
export class Application {
  readonly pool: ChunkPool;
  readonly server: StreamServer;
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #fanOut: FanOut;
  #listener: Listener | undefined;

  /** Failure: rejects with a `ConfigError` when a port cannot be bound; nothing stays open. */
  static async start(options: ApplicationOptions): Promise<Application> {
    const application = new Application(options);
    try {
      await application.#startStreams();
      await application.#listen();
    } catch (error) {
      await application.close();
      throw error;
    }
    return application;
  }

  private constructor(options: ApplicationOptions) {
    const { config, logger, verifySeals = false } = options;
    this.#config = config;
    this.#logger = logger;
    const native = loadNativeAddon();
    if ('reason' in native) {
      logger.notice('no native addon, the JavaScript path is used', { reason: native.reason });
      this.pool = new ChunkPool({ verifySeals });
    } else {
      const { allocateSlab } = native.addon;
      this.pool = new ChunkPool({ verifySeals, allocate: allocateSlab });
    }
    this.#fanOut = new NodeFanOut(this.pool);
    this.server = new StreamServer({
      clock: monotonicClock,
      logger,
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
  }

  /** The port that clients connect to; 0 when streaming over TCP is disabled. */
  get streamingPort(): number {
    return this.#listener?.port ?? 0;
  }

  /**
   * Closes listeners, sessions, sources and children, in this order.
   *
   * Failure: rejects with an `AssertionError` when a chunk did not come home.
   */
  async close(): Promise<void> {
    await this.#listener?.close();
    await this.server.close();
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
      onConnection: (socket) => this.server.accept(socket),
    });
    logger.info('listening for clients', { port: this.streamingPort });
  }
}
