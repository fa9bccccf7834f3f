import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { LineSplitter } from '../../base/children/line-splitter.ts';
import { type ProcessExit, ProcessGroup } from '../../base/children/process-group.ts';
import { assert } from '../../base/errors.ts';
import { adoptSocket, openDescriptor, type ReadInto } from '../../base/net/adopt-socket.ts';
import { openAnonymousPipe } from './fifo.ts';

/** One run of a program that writes PCM, in a process group of its own that ends with it. */
export class ProducerProcess {
  readonly #child: ChildProcess;
  readonly #group: ProcessGroup;
  readonly #outputFd: number | undefined;

  private constructor(child: ChildProcess, outputFd: number | undefined) {
    this.#child = child;
    this.#group = new ProcessGroup(child);
    this.#outputFd = outputFd;
  }

  /**
   * Starts the program.
   *
   * Ownership: the caller connects the output and in the end calls `finish` or `end`.
   * Failure: rejects when the system refuses the arguments; a program that cannot be executed
   * counts as one that exited at once.
   */
  static async start(options: {
    readonly program: string;
    readonly args: readonly string[];
    /** Added to that of the server. */
    readonly environment?: Readonly<Record<string, string>> | undefined;
    /** Takes each line of the standard error. */
    readonly line: (text: string) => void;
    /** Takes the standard input, whose faults need no look; absent: there is none. */
    readonly takeInput?: ((stdin: Writable) => void) | undefined;
    /** Where the pipe for the output may lie for a moment. */
    readonly scratchFolders?: readonly string[];
  }): Promise<ProducerProcess> {
    const { program, args, environment, takeInput } = options;
    const pipe = await openAnonymousPipe(options.scratchFolders).catch(() => undefined);
    try {
      const child = spawn(program, args, {
        cwd: dirname(program),
        detached: true,
        stdio: [takeInput ? 'pipe' : 'ignore', pipe?.writeFd ?? 'pipe', 'pipe'],
        ...(environment && { env: { ...process.env, ...environment } }),
      });
      const lines = new LineSplitter(options.line);
      child.stderr?.on('data', (data: Buffer) => lines.write(data));
      child.stderr?.on('error', () => undefined); // then there are no more lines
      const { stdin } = child;
      stdin?.on('error', () => undefined); // the program no longer reads, or has ended
      if (stdin) takeInput?.(stdin);
      return new ProducerProcess(child, pipe?.readFd);
    } catch (error) {
      if (pipe) closeSync(pipe.readFd);
      throw error;
    } finally {
      if (pipe) closeSync(pipe.writeFd);
    }
  }

  get exited(): Promise<ProcessExit> {
    return this.#group.exited;
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
  async finish(isHurried: () => boolean): Promise<ProcessExit> {
    return this.#muteStderr(await this.#group.finish(isHurried));
  }

  /** Ends the program and all that it started: by `signal`, after two seconds by force. */
  async end(signal: NodeJS.Signals): Promise<ProcessExit> {
    return this.#muteStderr(await this.#group.end(signal));
  }

  /** Nothing that its last words come from is read any more. */
  #muteStderr(exit: ProcessExit): ProcessExit {
    this.#child.stderr?.destroy();
    return exit;
  }
}
