import { ServerProcess } from '../support/server-process.ts';

export interface ZerocastSettings {
  /** The built program. */
  readonly main: string;
  /** In front of the whole command. */
  readonly core?: readonly string[];
  readonly port: number;
  /** Kept, with what the server remembers; absent: a fresh one. */
  readonly folder?: string;
  readonly format: {
    readonly source: string;
    readonly sampleFormat: string;
    readonly codec: string;
  };
  /** Of further streams. */
  readonly sources?: readonly string[];
  readonly sendInterval: string;
  /** In front of the program. */
  readonly nodeArgs?: readonly string[];
  /** Behind it. */
  readonly serverArgs?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts the real server with one stream and nothing beside it. */
export function startZerocast(settings: ZerocastSettings): Promise<ServerProcess> {
  const { main, port, format, sendInterval, folder } = settings;
  const { core = [], sources = [], nodeArgs = [], serverArgs = [], environment = {} } = settings;
  const { source, sampleFormat, codec } = format;
  return ServerProcess.start({
    main,
    streamPort: port,
    sources: [`${source}?name=bench&sampleformat=${sampleFormat}&codec=${codec}`, ...sources],
    ...(folder !== undefined && { folder }),
    node: [...core, process.execPath, ...nodeArgs],
    options: [
      `--stream.send_interval=${sendInterval}`,
      // All clients of a benchmark come from one address, and there are many of them.
      '--limits.max_connections_per_address=0',
      '--limits.max_players=100000',
      ...serverArgs,
    ],
    environment,
  });
}
