import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { LineSplitter } from '../../base/children/line-splitter.ts';
import { type ProcessExit, ProcessGroup } from '../../base/children/process-group.ts';
import { LineReader } from '../../base/net/line-reader.ts';
import { within } from '../../base/time/within.ts';

/**
 * The longest message of a control script: an image of the largest size in base64, which makes
 * four characters of three bytes, and some words.
 */
const maxLineBytes = 8 * 1024 * 1024;
/** What a control script may leave unread before nothing more is sent to it. */
const maxWriteQueueBytes = 1024 * 1024;
/** How long a script has for the first way in which it is asked to end, before the second. */
const partingMs = 500;
/** How long the last words of a script that has ended may take. */
const lastWordsMs = 100;

/** Why nothing more can be sent to a script that has closed its standard input. */
export const deafness = 'the control script takes no requests';

export interface PluginCommand {
  readonly script: string;
  readonly args: readonly string[];
}

interface PluginProcessCallbacks {
  /** Takes each line of the standard output. */
  readonly message: (line: string) => void;
  /** The script writes a line without end, so nothing more is read from it. */
  readonly flooded: () => void;
  /** Takes each line of the standard error. */
  readonly log: (line: string) => void;
  /** The script has closed its standard input. */
  readonly deaf: (why: string) => void;
}

/** One run of a control script, in a process group of its own. */
export class PluginProcess {
  /** Nothing more comes from the script: it has exited or closed its output. */
  readonly hushed: Promise<void>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #group: ProcessGroup;

  /**
   * Ownership: the caller in the end calls `finish`.
   * Failure: throws when the system refuses the arguments; a script that cannot be executed counts
   * as one that exited at once.
   */
  constructor({ script, args }: PluginCommand, callbacks: PluginProcessCallbacks) {
    const child = spawn(script, args, { cwd: dirname(script), detached: true, stdio: 'pipe' });
    this.#child = child;
    this.#group = new ProcessGroup(child);
    const outputEnd = this.#listen(callbacks);
    this.hushed = Promise.race([
      outputEnd,
      this.#group.exited.then(() => within(outputEnd, lastWordsMs)),
    ]);
  }

  /** Sends one line; returns why that is not possible, if so. */
  write(line: string): string | undefined {
    const { stdin } = this.#child;
    if (!stdin.writable) return deafness;
    if (stdin.writableLength + Buffer.byteLength(line) > maxWriteQueueBytes) {
      return 'the control script does not read its requests';
    }
    stdin.write(line);
    return undefined;
  }

  /**
   * Ends the script with all that it started. One that was not asked to end sees the end of its
   * input and may go by itself for a moment, or until `isHurried`.
   */
  async finish(isHurried: () => boolean): Promise<ProcessExit> {
    const { stdin, stdout, stderr } = this.#child;
    const exit = isHurried() ? await this.#end() : await this.#finish(isHurried);
    for (const stream of [stdin, stdout, stderr]) stream?.destroy();
    return exit;
  }

  async #finish(isHurried: () => boolean): Promise<ProcessExit> {
    this.#child.stdin?.end();
    await this.#group.exitsWithin(partingMs);
    return this.#group.finish(isHurried);
  }

  /** The signal comes first: many scripts never look whether their input has ended, and spin. */
  async #end(): Promise<ProcessExit> {
    const ended = this.#group.end('SIGTERM');
    await this.#group.exitsWithin(partingMs);
    this.#child.stdin?.end();
    return ended;
  }

  /** Resolves when the output has ended. */
  #listen({ message, flooded, log, deaf }: PluginProcessCallbacks): Promise<void> {
    const { stdin, stdout, stderr } = this.#child;
    // A program that could not be started for want of descriptors has no streams at all.
    if (!stdin || !stdout || !stderr) return Promise.resolve();
    stdin.on('error', (error) => deaf(error.message));
    const lines = new LineReader(() => maxLineBytes);
    stdout.on('data', (data: Buffer) => {
      lines.push(data);
      for (let line = lines.next(); line !== undefined; line = lines.next()) {
        if (line.trim() !== '') message(line);
      }
      if (!lines.isOverlong) return;
      stdout.destroy();
      flooded();
    });
    const words = new LineSplitter(log);
    stderr.on('data', (data: Buffer) => words.write(data));
    stderr.on('error', () => undefined); // then there are no more lines
    return new Promise((resolve) => {
      stdout.on('close', resolve);
      stdout.on('error', () => resolve());
    });
  }
}
