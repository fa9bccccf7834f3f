import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { whenCutShort } from './cut-short.ts';
import { OutputLog } from './output-log.ts';
import { until } from './waiting.ts';

/**
 * What stands before a command that has to keep time, as sound servers do: on a busy machine they lose
 * what they play otherwise. Nothing where this is not allowed.
 */
export const keepingTime: readonly string[] =
  spawnSync('chrt', ['-f', '5', 'true']).status === 0 ? ['chrt', '-f', '5'] : [];

/** A program that a test runs beside, with all that it starts in turn; it keeps time. */
export class SideProgram {
  readonly log: OutputLog;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  constructor(command: readonly string[], env: NodeJS.ProcessEnv) {
    const [file = '', ...args] = [...keepingTime, ...command];
    this.#child = spawn(file, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.log = new OutputLog(command[0] ?? '', this.#child);
    const forget = whenCutShort(() => void this.#signal('SIGKILL'));
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (exitCode) => {
        forget();
        resolve(exitCode);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves with its exit status; a signal has none. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Ends it and what it has started; resolves when nothing of that is left. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#signal(signal);
    let looks = 0;
    await until(() => {
      looks += 1;
      return !this.#signal(looks % 1000 === 0 ? 'SIGKILL' : 0);
    }, `${this.#child.spawnfile} has ended`);
    await this.#ended;
  }

  #signal(signal: NodeJS.Signals | 0): boolean {
    if (this.#child.pid === undefined) return false;
    try {
      return process.kill(-this.#child.pid, signal);
    } catch {
      return false;
    }
  }
}
