import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** How long programs may take to end after a signal before they are killed. */
const endGraceMs = 2000;
/**
 * And how long what it had started may take after it. Short, because the system does not tell when
 * that is over: in containers the dead often stay in their group, as no parent waits for them.
 */
const stragglerGraceMs = 200;
const goneCheckMs = 20;

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Says why the program never ran. */
  readonly error?: string;
}

/**
 * A program and whatever it starts, which end together.
 *
 * Ownership: the child was spawned with `detached`; the caller in the end calls `finish` or `end`.
 */
export class ProcessGroup {
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  /** Also a forced end of this process leaves no orphans. */
  readonly #killGroup = () => void this.#signal('SIGKILL');
  #hasExited = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.exited = new Promise((resolve) => {
      child.on('exit', (code, signal) => resolve({ code, signal }));
      child.on('error', (error) => {
        if (child.pid === undefined) resolve({ code: null, signal: null, error: error.message });
      });
    });
    void this.exited.then(() => {
      this.#hasExited = true;
    });
    listenForExit(this.#killGroup);
  }

  /** Whether the program ends by itself within `ms`. */
  async exitsWithin(ms: number): Promise<boolean> {
    await this.#within(ms, () => this.#hasExited);
    return this.#hasExited;
  }

  /** Lets the program end by itself for a moment, or until `isHurried`, then ends it. */
  async finish(isHurried: () => boolean): Promise<ProcessExit> {
    await this.#within(endGraceMs, () => this.#hasExited || isHurried());
    return this.end('SIGTERM');
  }

  /** Ends the program and all that it started: by `signal`, after two seconds by force. */
  async end(signal: NodeJS.Signals): Promise<ProcessExit> {
    this.#signal(signal);
    await this.#within(endGraceMs, () => this.#hasExited);
    await this.#within(stragglerGraceMs, () => !this.#signal(0));
    this.#signal('SIGKILL');
    stopListeningForExit(this.#killGroup);
    return this.exited;
  }

  /** Patience counts looks, not time: while this server was away it did not look. */
  async #within(ms: number, isDone: () => boolean): Promise<void> {
    for (let looks = ms / goneCheckMs; looks > 0 && !isDone(); looks -= 1) await delay(goneCheckMs);
  }

  /** Sends `signal` to the whole group; false when no process is left in it. Zero only asks. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, signal);
    } catch {
      return false;
    }
  }
}

/** Makes room first: as many listeners as there are programs are no leak. */
function listenForExit(listener: () => void): void {
  makeRoom(1);
  process.on('exit', listener);
}

function stopListeningForExit(listener: () => void): void {
  if (!process.listeners('exit').includes(listener)) return;
  process.off('exit', listener);
  makeRoom(-1);
}

/** Zero means no limit: the program that this server runs in may have said so. */
function makeRoom(change: number): void {
  const limit = process.getMaxListeners();
  if (limit > 0) process.setMaxListeners(Math.max(1, limit + change));
}
