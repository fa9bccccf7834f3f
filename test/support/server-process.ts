import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OutputLog } from './output-log.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const mainFile = join(root, 'dist', 'main.js');

const startTimeoutMs = 20_000;
const stopTimeoutMs = 15_000;

/** How a process ended: its exit status, or the signal that killed it. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The built server as a process of its own, on a free port and with a folder of its own. */
export class ServerProcess {
  readonly streamPort: number;
  readonly log: OutputLog;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #ending: Promise<Ending>;

  private constructor(child: ChildProcess, at: { streamPort: number; folder: string }) {
    this.#child = child;
    this.#folder = at.folder;
    this.streamPort = at.streamPort;
    this.log = new OutputLog('the server', child);
    this.pid = child.pid ?? 0;
    this.#ending = new Promise((resolve) => {
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
    });
  }

  /**
   * Starts the server with `sources` (stream addresses) and further `options` of the command
   * line; resolves when it accepts clients, on a free port unless one is given.
   */
  static async start(setup: {
    readonly sources: readonly string[];
    readonly options?: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
    readonly streamPort?: number;
    /** How many descriptors it may have. */
    readonly descriptors?: number;
    /** The program that runs it, with its options: this one unless said otherwise. */
    readonly node?: readonly string[];
  }): Promise<ServerProcess> {
    assertBuilt();
    const folder = mkdtempSync(join(tmpdir(), 'zerocast-server-'));
    const streamPort = setup.streamPort ?? (await freePort());
    const configFile = join(folder, 'zerocast.conf');
    writeFileSync(configFile, configText(setup.sources, { folder, streamPort }));
    const node = setup.node ?? [process.execPath];
    const command = [...node, mainFile, '-c', configFile, ...(setup.options ?? [])];
    const { descriptors } = setup;
    const [file = '', ...args] =
      descriptors === undefined ? command : ['prlimit', `--nofile=${descriptors}`, ...command];
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...setup.environment },
    });
    const server = new ServerProcess(child, { streamPort, folder });
    try {
      await server.log.waitFor(/\(Snapserver\) Version 0\./, startTimeoutMs);
      await untilAccepting(streamPort, server);
    } catch (error) {
      await server.kill();
      throw error;
    }
    return server;
  }

  /** Sends a signal without waiting for what it does. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process is gone; a process that stays is killed and shows it. */
  async ended(): Promise<Ending> {
    const timer = new AbortController();
    void setTimeout(stopTimeoutMs, undefined, { signal: timer.signal }).then(
      () => this.#child.kill('SIGKILL'),
      () => undefined,
    );
    const ending = await this.#ending;
    timer.abort();
    rmSync(this.#folder, { recursive: true, force: true });
    return ending;
  }

  /** Stops the server in the orderly way and throws unless that went well. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.signal(signal);
    const ending = await this.ended();
    if (ending.exitCode !== 0) {
      throw new Error(
        `${signal} ended the server with ${JSON.stringify(ending)}:\n${this.log.text}`,
      );
    }
  }

  /** Ends the process for good, for the clean-up of a test that failed. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
  }
}

/** Asks the system for a port that nobody uses. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a port was asked for');
  return address.port;
}

function configText(
  sources: readonly string[],
  { folder, streamPort }: { folder: string; streamPort: number },
): string {
  return [
    '[server]',
    `datadir = ${folder}`,
    'mdns_enabled = false',
    '[http]',
    'enabled = false',
    '[tcp-control]',
    'enabled = false',
    '[tcp-streaming]',
    'bind_to_address = 127.0.0.1',
    `port = ${streamPort}`,
    '[stream]',
    ...sources.map((source) => `source = ${source}`),
    '[logging]',
    'sink = stdout',
    '',
  ].join('\n');
}

async function untilAccepting(port: number, server: ServerProcess): Promise<void> {
  const deadlineMs = performance.now() + startTimeoutMs;
  while (performance.now() < deadlineMs) {
    if (await accepts(port)) return;
    await setTimeout(20);
  }
  throw new Error(`nobody listens on port ${port}; the server printed:\n${server.log.text}`);
}

/** Whether somebody listens on a port of this machine. */
export async function accepts(port: number): Promise<boolean> {
  // From an address of its own: with nobody there, a socket may be given this very port and then
  // meet itself, which looks like an answer and takes the port away from the server.
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  const accepted = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return accepted;
}

/** Testing yesterday's build would mislead. */
export function assertBuilt(): void {
  const builtMs = existsSync(mainFile) ? statSync(mainFile).mtimeMs : 0;
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const isStale = sources
    .filter((file) => file.endsWith('.ts'))
    .some((file) => statSync(join(root, 'src', file)).mtimeMs > builtMs);
  if (isStale) throw new Error('dist/ is missing or older than src/: run "npm run build" first');
}
