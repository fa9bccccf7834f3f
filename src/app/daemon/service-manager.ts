import { spawn } from 'node:child_process';
import { monotonicClock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { NativeAddon } from '../../base/native/native-addon.ts';

interface ServiceManagerOptions {
  /** Loses the variables that are meant for this process alone. */
  readonly environment: NodeJS.ProcessEnv;
  readonly sendDatagram: NativeAddon['sendDatagram'];
  /** The program for machines without the addon. */
  readonly notifyCommand?: string;
}

/**
 * Tells systemd, or another manager that started this process and waits for it, how the server is.
 *
 * Without such a manager every call does nothing. Failure: never throws; what cannot be told is
 * logged once. Source: sd_notify(3), sd_watchdog_enabled(3).
 */
export class ServiceManager {
  readonly #socket: string | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #options: ServiceManagerOptions;
  #watchdog: NodeJS.Timeout | undefined;
  #logger: Logger | undefined;
  #faultTold = false;

  constructor(options: ServiceManagerOptions) {
    const { environment } = options;
    this.#options = options;
    this.#socket = environment.NOTIFY_SOCKET || undefined;
    this.#watchdogMs = watchdogIntervalMs(environment);
    // Children of the server are not the service.
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  }

  /** Where faults are logged, as soon as there is a log. */
  useLogger(logger: Logger): void {
    this.#logger = logger;
  }

  /** The server serves; from now on the event loop proves every now and then that it turns. */
  ready(status: () => string): void {
    this.#tell({ READY: '1', STATUS: status() });
    if (this.#socket === undefined || this.#watchdogMs === undefined) return;
    const prove = () => this.#tell({ WATCHDOG: '1', STATUS: status() });
    this.#watchdog ??= setInterval(prove, this.#watchdogMs).unref();
    prove();
  }

  /** Between this and `reloaded` systemd shows the service as reloading. */
  reloading(): void {
    const nowUs = Math.floor(monotonicClock.nowUs());
    this.#tell({ RELOADING: '1', MONOTONIC_USEC: String(nowUs), STATUS: 'reloading' });
  }

  reloaded(status: string): void {
    this.#tell({ READY: '1', STATUS: status });
  }

  /** The watchdog goes on: also an end can hang. */
  stopping(): void {
    this.#tell({ STOPPING: '1', STATUS: 'stopping' });
  }

  close(): void {
    clearInterval(this.#watchdog);
  }

  #tell(variables: Readonly<Record<string, string>>): void {
    if (this.#socket === undefined) return;
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${oneLine(value)}`);
    const { sendDatagram } = this.#options;
    if (!sendDatagram) {
      this.#tellByProgram(lines, this.#socket);
      return;
    }
    const errorNumber = sendDatagram(this.#socket, lines.join('\n'));
    if (errorNumber !== 0) this.#complain(`error ${errorNumber}`);
  }

  #tellByProgram(lines: readonly string[], socket: string): void {
    const { notifyCommand = 'systemd-notify', environment } = this.#options;
    const child = spawn(notifyCommand, [`--pid=${process.pid}`, ...lines], {
      env: { ...environment, NOTIFY_SOCKET: socket },
      stdio: 'ignore',
    });
    child.on('error', (error) => this.#complain(error.message));
    child.on('exit', (status) => {
      if (status !== 0) this.#complain(`${notifyCommand} ended with status ${status}`);
    });
  }

  #complain(reason: string): void {
    if (this.#faultTold) return;
    this.#faultTold = true;
    this.#logger?.warn('the service manager cannot be told how the server is', { reason });
  }
}

/** Half of what the manager waits; `undefined` when it does not wait, or for another process. */
function watchdogIntervalMs({
  WATCHDOG_USEC,
  WATCHDOG_PID,
}: NodeJS.ProcessEnv): number | undefined {
  const waitUs = Number(WATCHDOG_USEC);
  const isMeant = !WATCHDOG_PID || Number(WATCHDOG_PID) === process.pid;
  return waitUs > 0 && isMeant ? Math.max(1, Math.floor(waitUs / 2000)) : undefined;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
