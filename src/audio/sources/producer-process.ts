import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { adoptSocket, openDescriptor, type ReadInto } from '../../adopt-socket.ts';
import { assert } from '../../errors.ts';
import { openAnonymousPipe } from './fifo.ts';
import { LineSplitter } from './line-splitter.ts';

/** How long programs may take to end after a signal before they are killed. */
const endGraceMs = 2000;
/**
 * And how long what it had started may take after it. Short, because nobody tells when that is
 * over: in containers the dead often stay in their group for want of somebody who buries them.
 */
const stragglerGraceMs = 200;
const goneCheckMs = 20;

export interface ProducerOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Takes each line of the standard error. */
  readonly line: (text: string) => void;
  /** Where the pipe for the output may lie for a moment. */
  readonly scratchFolders?: readonly string[];
}

export interface ProducerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Says why the program never ran. */
  readonly error?: string;
}

/**
 * One run of a program that writes PCM, in a process group of its own, so that whatever it starts
 * ends with it.
 */
export class ProducerProcess {
  readonly exited: Promise<ProducerExit>;
  readonly #child: ChildProcess;
  readonly #outputFd: number | undefined;
  /** Also a forced end of this process leaves no orphans. */
  readonly #killGroup = () => void this.#signal('SIGKILL');
  #hasExited = false;

  private constructor(child: ChildProcess, outputFd: number | undefined) {
    this.#child = child;
    this.#outputFd = outputFd;
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

  /**
   * Starts the program.
   *
   * Ownership: the caller connects the output and in the end calls `finish` or `end`.
   * Failure: rejects when the system refuses the arguments; a program that cannot be executed
   * counts as one that exited at once.
   */
  static async start(options: ProducerOptions): Promise<ProducerProcess> {
    const { program, args } = options;
    const pipe = await openAnonymousPipe(options.scratchFolders).catch(() => undefined);
    try {
      const child = spawn(program, args, {
        cwd: dirname(program),
        detached: true,
        stdio: ['ignore', pipe?.writeFd ?? 'pipe', 'pipe'],
      });
      const lines = new LineSplitter(options.line);
      child.stderr?.on('data', (data: Buffer) => lines.write(data));
      child.stderr?.on('error', () => undefined); // then there are no more lines
      return new ProducerProcess(child, pipe?.readFd);
    } catch (error) {
      if (pipe) closeSync(pipe.readFd);
      throw error;
    } finally {
      if (pipe) closeSync(pipe.writeFd);
    }
  }

  /** Opens the standard output for reading; to be called once, at once. */
  connect(readInto: ReadInto): Socket {
    const { stdout } = this.#child;
    const fd = this.#outputFd;
    if (fd !== undefined) return openDescriptor(fd, readInto);
    // A program that could not be started for want of descriptors has no output at all.
    if (stdout === null || stdout === undefined) return new Socket();
    assert(stdout instanceof Socket, 'the output of a child is a socket');
    return adoptSocket(stdout, readInto);
  }

  /** Lets the program end by itself for a moment, or until `isHurried`, then ends it. */
  async finish(isHurried: () => boolean): Promise<ProducerExit> {
    await this.#within(endGraceMs, () => this.#hasExited || isHurried());
    return this.end('SIGTERM');
  }

  /** Ends the program and all that it started: by `signal`, after two seconds by force. */
  async end(signal: NodeJS.Signals): Promise<ProducerExit> {
    this.#signal(signal);
    await this.#within(endGraceMs, () => this.#hasExited);
    await this.#within(stragglerGraceMs, () => !this.#signal(0));
    this.#signal('SIGKILL');
    stopListeningForExit(this.#killGroup);
    const exit = await this.exited;
    this.#child.stderr?.destroy();
    return exit;
  }

  async #within(ms: number, isDone: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + ms;
    while (!isDone() && performance.now() < deadlineMs) await delay(goneCheckMs);
  }

  /** Sends `signal` to the whole group; false when nobody is left in it. Zero only asks. */
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
  process.setMaxListeners(process.getMaxListeners() + 1).on('exit', listener);
}

function stopListeningForExit(listener: () => void): void {
  if (!process.listeners('exit').includes(listener)) return;
  process.off('exit', listener).setMaxListeners(process.getMaxListeners() - 1);
}
