import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { whenCutShort } from './cut-short.ts';
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

export interface ServerCommand {
  /** The program and what it is told. */
  readonly command: readonly string[];
  /** Where players come. */
  readonly streamPort: number;
  /** Added to that of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** How many it may have. */
  readonly descriptors?: number;
  /** It ends together with all that it started, also when this process ends before it. */
  readonly isGroup?: boolean;
}

export interface ServerSetup extends Partial<Omit<ServerCommand, 'command'>> {
  /** Addresses of streams. */
  readonly sources: readonly string[];
  /** Further ones of the command line. */
  readonly options?: readonly string[];
  /** The program that runs it, with its options: this one unless said otherwise. */
  readonly node?: readonly string[];
  /** Another build than that of this tree. */
  readonly main?: string;
  /** The one that the server has its files in, which is kept; absent: one that goes with the server. */
  readonly folder?: string;
}

/** A server as a process of its own. */
export class ServerProcess {
  readonly log: OutputLog;
  readonly pid: number;
  readonly streamPort: number;
  /** From the execution to the first connection; NaN until then. */
  listeningMs = Number.NaN;
  /** How it has ended; absent while it runs. */
  ending: Ending | undefined;
  readonly #child: ChildProcess;
  readonly #isGroup: boolean;
  readonly #executedMs = performance.now();
  readonly #ended: Promise<Ending>;

  /** Starts any server: one to compare ours with, or ours with a configuration that is there already. */
  constructor({ command, streamPort, environment, descriptors, isGroup = false }: ServerCommand) {
    this.streamPort = streamPort;
    this.#isGroup = isGroup;
    const limit =
      descriptors === undefined ? [] : ['prlimit', `--nofile=${descriptors}:${descriptors}`];
    const [file = '', ...args] = [...limit, ...command];
    this.#child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
      detached: isGroup,
    });
    this.pid = this.#child.pid ?? 0;
    this.log = new OutputLog('the server', this.#child);
    const forget = whenCutShort(() => this.#killGroup());
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (exitCode, signal) => {
        forget();
        this.ending = { exitCode, signal };
        resolve(this.ending);
      });
    });
  }

  /** Starts our server with a folder of its own, on a free port unless one is given; resolves when it accepts players. */
  static async start(setup: ServerSetup): Promise<ServerProcess> {
    const { main = mainFile, node = [process.execPath], options = [] } = setup;
    if (main === mainFile) assertBuilt();
    const folder = setup.folder ?? mkdtempSync(join(tmpdir(), 'zerocast-server-'));
    const streamPort = setup.streamPort ?? (await freePort());
    const configFile = join(folder, 'zerocast.conf');
    writeFileSync(configFile, configText(setup.sources, { folder, streamPort }));
    const command = [...node, main, '-c', configFile, ...options];
    const server = new ServerProcess({ ...setup, command, streamPort });
    if (setup.folder === undefined) {
      void server.#ended.then(() => rmSync(folder, { recursive: true, force: true }));
    }
    try {
      await server.log.waitFor(/\(Snapserver\) Version 0\./, startTimeoutMs);
      await server.listening();
    } catch (error) {
      await server.kill();
      throw error;
    }
    return server;
  }

  /** Resolves when it accepts connections on a port. Failure: rejects when it does not in time. */
  async listening(port = this.streamPort): Promise<void> {
    const deadlineMs = performance.now() + startTimeoutMs;
    while (!(await accepts(port))) {
      if (this.ending || performance.now() > deadlineMs) {
        throw new Error(`nobody listens on port ${port}; the server printed:\n${this.log.text}`);
      }
      await setTimeout(5);
    }
    if (port === this.streamPort) this.listeningMs = performance.now() - this.#executedMs;
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
    const ending = await this.#ended;
    timer.abort();
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
    this.#killGroup();
    await this.ended();
  }

  #killGroup(): void {
    if (!this.#isGroup || this.pid === 0) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {} // there is nothing left of it
  }
}

/**
 * A port that nobody uses, below those that the system gives to connections and to whoever asks for
 * any port: a test beside this one could be given it before it is listened on.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
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
