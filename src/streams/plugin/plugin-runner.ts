import type { ProgramLog } from '../../audio/sources/program-log.ts';
import type { ChildPlaces, GiveBack } from '../../base/children/child-places.ts';
import { splitCommandLine } from '../../base/children/command-line.ts';
import type { ProcessExit } from '../../base/children/process-group.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { within } from '../../base/time/within.ts';
import { guessSeverity } from './plugin-log.ts';
import { deafness, type PluginCommand, PluginProcess } from './plugin-process.ts';

export interface RestartTiming {
  readonly firstRestartMs: number;
  readonly slowestRestartMs: number;
  /** A script that ran this long was well: its next restart comes soon. */
  readonly healthyRunMs: number;
}

interface PluginRunnerOptions {
  readonly command: PluginCommand;
  readonly timing: RestartTiming;
  readonly clock: Clock;
  readonly log: ProgramLog;
  /** Absent: as many scripts as one likes. */
  readonly children?: ChildPlaces | undefined;
  /** Takes each line of the standard output. */
  readonly message: (line: string) => void;
  /** No request reaches the script any more. */
  readonly deaf: (why: string) => void;
  /** Nothing more comes from the script, until it is started again. */
  readonly gone: () => void;
}

interface RunEnd extends ProcessExit {
  readonly lastLine: string;
}

const notRunning = 'the control script is not running';

/** What to do about a script that cannot be started, by the last word of the fault. */
const remedies: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'make the script executable with chmod +x'],
  ['ENOENT', 'install the script, or the program that its first line names'],
  ['ENOEXEC', 'let the first line name a program, for example #!/usr/bin/env python3'],
]);

/** Failure: a `SourceError` when `params` cannot be split. Source: protocol reference, 16.1. */
export function pluginArguments({
  streamId,
  params,
  http,
}: {
  readonly streamId: string;
  readonly params: string;
  readonly http: { readonly host: string; readonly port: number } | undefined;
}): string[] {
  const own = http ? [`--snapcast-port=${http.port}`, `--snapcast-host=${http.host}`] : [];
  return [...splitCommandLine(params), `--stream=${streamId}`, ...own];
}

/** Keeps a control script running: whenever it ends it is started again, later and later. */
export class PluginRunner {
  readonly #options: PluginRunnerOptions;
  readonly #running: Promise<void>;
  #process: PluginProcess | undefined;
  /** A stream keeps its place while its script is started again. */
  #giveBackPlace: GiveBack | undefined;
  #isStopped = false;
  #endWait: () => void = () => undefined;
  /** Why it could not be started at the last attempt; said once. */
  #loggedError: string | undefined;

  constructor(options: PluginRunnerOptions) {
    this.#options = options;
    this.#running = this.#keepRunning();
  }

  /** Sends one line; returns why that is not possible, if so. */
  write(line: string): string | undefined {
    return this.#process ? this.#process.write(line) : notRunning;
  }

  /** Resolves when the script and all that it started are gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endWait();
    await this.#running;
    this.#giveBackPlace?.();
  }

  async #keepRunning(): Promise<void> {
    const { timing, clock } = this.#options;
    let restartMs = timing.firstRestartMs;
    while (!this.#isStopped) {
      const startedUs = clock.nowUs();
      const end = await this.#runOnce();
      if (this.#isStopped) return;
      if (clock.nowUs() - startedUs >= timing.healthyRunMs * 1000) {
        restartMs = timing.firstRestartMs;
      }
      this.#logEnd(end, restartMs);
      await within(this.#stopped(), restartMs);
      restartMs = Math.min(2 * restartMs, timing.slowestRestartMs);
    }
  }

  async #runOnce(): Promise<RunEnd> {
    const { log, command, message, children } = this.#options;
    let lastLine = '';
    try {
      this.#giveBackPlace ??= children?.take();
      const plugin = new PluginProcess(command, {
        message: (line) => this.#process === plugin && message(line),
        flooded: () => log.own('error', 'control script writes a line without end'),
        log: (line) => {
          lastLine = line;
          log.foreign(guessSeverity(line), 'control script says', { line });
        },
        deaf: (error) => this.#deafen(error),
      });
      this.#process = plugin;
      await Promise.race([plugin.hushed, this.#stopped()]);
      this.#leave();
      return { ...(await plugin.finish(() => this.#isStopped)), lastLine };
    } catch (error) {
      return { code: null, signal: null, error: messageOf(error), lastLine };
    }
  }

  #deafen(error: string): void {
    if (this.#process === undefined) return;
    this.#options.log.own('warn', 'control script takes no requests', { error });
    this.#options.deaf(deafness);
  }

  #leave(): void {
    this.#process = undefined;
    this.#options.gone();
  }

  #logEnd({ error, ...end }: RunEnd, restartMs: number): void {
    const { script } = this.#options.command;
    const { log } = this.#options;
    const isSaid = error !== undefined && error === this.#loggedError;
    this.#loggedError = error;
    if (isSaid) return;
    if (error === undefined) {
      log.own('warn', 'control script ended', { script, ...end, restartMs });
      return;
    }
    const remedy = remedies.get(error.split(' ').at(-1) ?? '');
    log.own('error', 'control script cannot be started', {
      script,
      error,
      ...(remedy && { remedy }),
      restartMs,
    });
  }

  #stopped(): Promise<void> {
    return new Promise((resolve) => {
      this.#endWait = resolve;
    });
  }
}
