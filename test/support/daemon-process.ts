import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { makeScratchFolder, removeScratchFolder } from './scratch-folder.ts';
import { accepts, assertBuilt, freePort, mainFile } from './server-process.ts';

export interface DaemonRun {
  readonly status: number | null;
  /** What was said in the foreground, on both outputs. */
  readonly output: string;
}

/** A folder with the configuration of a server that goes into the background, and its traces. */
export class DaemonStage {
  readonly folder = makeScratchFolder();
  readonly pidFile = join(this.folder, 'run', 'pid');
  readonly logFile = join(this.folder, 'log', 'zerocast.log');
  readonly dataFolder = join(this.folder, 'data');
  readonly port: number;

  private constructor(port: number) {
    this.port = port;
  }

  static async open(port?: number): Promise<DaemonStage> {
    assertBuilt();
    const stage = new DaemonStage(port ?? (await freePort()));
    mkdirSync(join(stage.folder, 'log'));
    return stage;
  }

  /** Writes the configuration; `lines` come last. */
  configure(lines: readonly string[]): void {
    const text = [
      '[server]',
      'mdns_enabled = false',
      `pidfile = ${this.pidFile}`,
      `datadir = ${this.dataFolder}`,
      '[http]',
      'enabled = false',
      '[tcp-control]',
      'enabled = false',
      '[tcp-streaming]',
      'bind_to_address = 127.0.0.1',
      `port = ${this.port}`,
      '[logging]',
      `sink = file:${this.logFile}`,
      ...lines,
      '',
    ];
    writeFileSync(join(this.folder, 'zerocast.conf'), text.join('\n'));
  }

  /** Runs the program as a person would, in this folder, until it comes back. */
  async run(
    options: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<DaemonRun> {
    const child = spawn(process.execPath, [mainFile, '-c', 'zerocast.conf', ...options], {
      cwd: this.folder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    // A server that stays in the foreground must not outlive the test.
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    const output = (await Promise.all([text(child.stdout), text(child.stderr)])).join('');
    const status = await ended;
    clearTimeout(timer);
    return { status, output };
  }

  /** The number in the pid file; `undefined` when there is none. */
  get pid(): number | undefined {
    if (!existsSync(this.pidFile)) return undefined;
    return Number(readFileSync(this.pidFile, 'latin1')) || undefined;
  }

  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  isServing(): Promise<boolean> {
    return accepts(this.port);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.pid) process.kill(this.pid, signal);
  }

  close(): void {
    this.signal('SIGKILL');
    removeScratchFolder(this.folder);
  }
}

/** A field of /proc/<pid>/status as its words; nothing for a process that is gone. */
export function statusOf(pid: number, field: string): readonly string[] {
  try {
    const [, words = ''] =
      new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ??
      [];
    return words.split(/\s+/);
  } catch {
    return [];
  }
}

/** Whether a process runs; one that has ended and waits to be collected does not. */
export function isRunning(pid: number): boolean {
  const [state] = statusOf(pid, 'State');
  return state !== undefined && state !== 'Z';
}
