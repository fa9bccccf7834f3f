import type { Readable } from 'node:stream';
import { Application } from '../app/application.ts';
import { lockDataFolder } from '../app/data-folder.ts';
import { nativeLocks, type ProcessLock } from '../base/files/process-lock.ts';
import type { Logger } from '../base/logger.ts';
import type { Config } from '../config/config.ts';
import { Log } from '../log/log.ts';
import { ServerEventSource, type ServerEvents, type ServerListener } from './server-events.ts';
import { configOf, type ServerOptions } from './server-options.ts';
import {
  type ClientStatus,
  clientStatus,
  type StreamStatus,
  streamStatus,
} from './server-status.ts';

/** A stream whose audio comes from the program itself. */
export interface CustomStream {
  /** Unique; serves as the id of the stream. */
  readonly name: string;
  /**
   * Interleaved signed little-endian PCM, 24 bit in 4 bytes per sample.
   *
   * Ownership: the stream reads it, at the pace of real time, and destroys it in the end.
   */
  readonly input: Readable | AsyncIterable<Uint8Array>;
  /** `rate:bits:channels`; absent: that of `stream.sampleformat`. */
  readonly sampleFormat?: string;
  /** `name[:options]`; absent: that of `stream.codec`. */
  readonly codec?: string;
}

/** The ports really bound; 0 for what is not listening. */
export interface ServerPorts {
  readonly streaming: number;
  readonly control: number;
  readonly http: number;
  readonly https: number;
}

/** What `listen` has opened. */
interface Running {
  readonly application: Application;
  /** Releases the log and the data folder. */
  readonly release: () => Promise<void>;
}

/** The server inside another program. */
export class ZerocastServer {
  readonly #config: Config;
  readonly #warnings: readonly string[];
  readonly #logger: Logger | undefined;
  readonly #events = new ServerEventSource();
  /** From the call of `listen` until that of `close`. */
  #opening: Promise<Running> | undefined;
  /** Nothing while it is still being opened. */
  #application: Application | undefined;
  /** The last close, which the next `listen` waits for: it holds the ports until then. */
  #closing: Promise<void> | undefined;

  /** Failure: throws a `ConfigError` that lists every option that cannot be used. */
  constructor(options: ServerOptions, logger?: Logger) {
    const { config, warnings } = configOf(options);
    this.#config = config;
    this.#warnings = warnings;
    this.#logger = logger;
  }

  get ports(): ServerPorts {
    const { ports } = this.#application ?? {};
    return ports ?? { streaming: 0, control: 0, http: 0, https: 0 };
  }

  get clients(): readonly ClientStatus[] {
    return [...(this.#application?.registry.clients.values() ?? [])].map(clientStatus);
  }

  get streams(): readonly StreamStatus[] {
    return [...(this.#application?.streams.channels.values() ?? [])].map(streamStatus);
  }

  /**
   * Starts the streams of the options and opens the ports.
   *
   * Failure: rejects with a `ConfigError` when a port cannot be bound; nothing stays open, and
   * `listen` may be called again.
   */
  async listen(): Promise<void> {
    if (this.#opening) throw new Error('the server is listening already');
    const opening = this.#open(this.#closing);
    this.#opening = opening;
    try {
      const { application } = await opening;
      if (this.#opening === opening) this.#application = application;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  /** Ends sessions, streams and ports, also of a server that is just being opened. */
  async close(): Promise<void> {
    const opening = this.#opening;
    if (opening) {
      this.#opening = undefined;
      this.#application = undefined;
      this.#closing = end(opening);
    }
    await this.#closing;
  }

  /**
   * Adds a stream: by its address, as in the configuration file, or fed by the program.
   *
   * Failure: rejects with a `SourceError` when the stream cannot be opened or its name is taken.
   */
  async addStream(stream: string | CustomStream): Promise<StreamStatus> {
    const { streams } = this.#running();
    const channel =
      typeof stream === 'string'
        ? await streams.addTrusted(stream)
        : await streams.addInput(stream);
    return streamStatus(channel);
  }

  /** Resolves when all that the stream held is released; unknown names are fine. */
  async removeStream(name: string): Promise<void> {
    await this.#running().streams.remove(name);
  }

  /**
   * Calls a method of the JSON-RPC interface, for example
   * `request('Client.SetVolume', { id, volume: { percent: 50 } })`.
   *
   * Failure: rejects with an `RpcError`.
   */
  async request(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return this.#running().request(method, params);
  }

  /** Calls `listener` at every such event. Returns how to stop that. */
  on<Name extends keyof ServerEvents>(name: Name, listener: ServerListener<Name>): () => void {
    return this.#events.on(name, listener);
  }

  async #open(closing: Promise<void> | undefined): Promise<Running> {
    await closing;
    const { server, logging } = this.#config;
    const log = this.#logger ? { logger: this.#logger, close: async () => {} } : new Log(logging);
    const { logger } = log;
    let lock: ProcessLock | undefined;
    const release = async () => {
      lock?.release();
      await log.close();
    };
    try {
      if (server.datadir) lock = lockDataFolder({ folder: server.datadir, ...nativeLocks() });
      for (const warning of this.#warnings) logger.tagged('Zerocast').warn(warning);
      const application = await Application.start({
        config: this.#config,
        logger,
        dataFolder: server.datadir || undefined,
        ...('recentWarnings' in log && { recentWarnings: () => log.recentWarnings }),
        onChange: (change) => this.#events.emit(change),
      });
      return { application, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  #running(): Application {
    if (this.#application) return this.#application;
    throw new Error('the server is not listening: call listen() first');
  }
}

/** What is still being opened cannot be ended half way. */
async function end(opening: Promise<Running>): Promise<void> {
  const running = await opening.catch(() => undefined);
  try {
    await running?.application.close();
  } finally {
    await running?.release();
  }
}

/**
 * Makes a server that does not run yet: call `listen`.
 *
 * Shape: `logger` takes its log in place of `options.logging`.
 * Failure: throws a `ConfigError` that lists every option that cannot be used.
 */
export function createServer(options: ServerOptions = {}, logger?: Logger): ZerocastServer {
  return new ZerocastServer(options, logger);
}
