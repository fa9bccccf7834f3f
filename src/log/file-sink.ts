import { closeSync, constants, fchownSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { resolve } from 'node:path';
import { DescriptorSink } from './descriptor-sink.ts';
import type { LogSink } from './log-sink.ts';
import type { Severity } from './severity.ts';

/** The user and group that own what is made for the server, as numbers. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

const mode = 0o644;

/** A log file that can be opened anew, after a program has moved it away. */
export class FileSink implements LogSink {
  readonly #path: string;
  readonly #owner: FileOwner | undefined;
  readonly #onFault: (sentence: string) => void;
  #output: DescriptorSink;
  /** The ends of earlier files. */
  #earlier: Promise<unknown> = Promise.resolve();
  #isClosing = false;

  /** *Failure:* throws the error of the file system. */
  constructor(options: {
    readonly fileName: string;
    /** Whether lines that are in the file already go. */
    readonly isEmptied: boolean;
    /** Absent: the user of this process. */
    readonly owner: FileOwner | undefined;
    readonly onFault: (sentence: string) => void;
  }) {
    this.#owner = options.owner;
    this.#onFault = options.onFault;
    // The folder of the process may change later.
    this.#path = resolve(options.fileName);
    this.#output = this.#open(options.isEmptied);
  }

  write(line: string, _severity: Severity): boolean {
    return this.#output.write(line);
  }

  flushSync(): void {
    this.#output.flushSync();
  }

  /** *Failure:* throws the error of the file system; the file at hand stays in use. */
  reopen(): void {
    if (this.#isClosing) return;
    const previous = this.#output;
    // A fifo that was put there meanwhile must not make everything wait for its reader.
    this.#output = this.#open(false, constants.O_NONBLOCK);
    this.#earlier = Promise.all([this.#earlier, previous.close()]);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([this.#earlier, this.#output.close()]);
  }

  #open(isEmptied: boolean, more = 0): DescriptorSink {
    const owner = this.#owner;
    // Appending, as a program that rotates logs may copy the file and then cut it to nothing.
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | more;
    const isGivenAway = owner && process.geteuid?.() === 0;
    const descriptor = isGivenAway
      ? openFor(owner, this.#path, flags)
      : openSync(this.#path, flags, mode);
    // Not while opening: what it is has to be known before anything of it goes.
    if (isEmptied) emptyFile(descriptor);
    return new DescriptorSink({ descriptor, owned: true, onFault: this.#onFault });
  }
}

/**
 * Opens a file as root, and gives it to another user. That user may have put a link in its place,
 * by which root would write to, or give away, a file of a third one.
 */
function openFor(owner: FileOwner, path: string, flags: number): number {
  const { O_NOFOLLOW, O_NONBLOCK } = constants;
  const descriptor = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  const file = fstatSync(descriptor);
  if (!file.isFile()) return descriptor;
  if (file.nlink > 1 || (file.uid !== owner.uid && file.uid !== 0)) {
    closeSync(descriptor);
    throw new Error(`${path} belongs to somebody else, or has a second name: remove it`);
  }
  giveTo(owner, descriptor);
  return descriptor;
}

function emptyFile(descriptor: number): void {
  // A pipe or a device has nothing to lose.
  if (fstatSync(descriptor).isFile()) ftruncateSync(descriptor);
}

function giveTo({ uid, gid }: FileOwner, descriptor: number): void {
  try {
    fchownSync(descriptor, uid, gid);
  } catch {
    // It can be written all the same; only opening it anew may fail later, and that is told then.
  }
}
