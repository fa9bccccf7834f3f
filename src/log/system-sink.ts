import { type ChildProcess, spawn } from 'node:child_process';
import { closeTimeoutMs, type LogSink, maxQueuedBytes } from './log-sink.ts';
import type { Severity } from './severity.ts';
import { withoutStamp } from './text-line.ts';

/** The facility "user" as syslog counts it. */
const facility = 1;

/** A `logger` that cannot do its work ends within this time; until then its lines are kept. */
const probationMs = 1000;
const maxKeptLines = 200;

/** Hands lines to the log of the system through the program `logger`. */
export class SystemSink implements LogSink {
  readonly #child: ChildProcess;
  readonly #fallback: LogSink;
  readonly #onFault: (sentence: string) => void;
  readonly #probation: NodeJS.Timeout;
  readonly #ended: Promise<void>;
  /** The first lines: said again to the fallback when the program turns out to be of no use. */
  #kept: { readonly line: string; readonly severity: Severity }[] | undefined = [];
  #hasFailed = false;
  #isClosing = false;

  constructor({
    command = 'logger',
    owner,
    fallback,
    onFault,
  }: {
    /** The program `logger` of bsdutils. */
    readonly command?: string;
    /** As whom it runs, where this process is root and will not stay so; absent: as this process. */
    readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
    /** Takes over when that program is missing or ends. */
    readonly fallback: LogSink;
    /** Told once when that happens. */
    readonly onFault: (sentence: string) => void;
  }) {
    this.#fallback = fallback;
    this.#onFault = onFault;
    const options = ['--prio-prefix', '--tag', 'zerocast', '--size', '8KiB', '--socket-errors=on'];
    // Of its own process group: Ctrl-C in a terminal must not end it before the last line.
    const child = spawn(command, options, {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      ...(owner && process.geteuid?.() === 0 && { uid: owner.uid, gid: owner.gid }),
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.on('error', (error) => {
        this.#fail(error.message);
        resolve();
      });
      child.on('exit', (code, signal) => {
        this.#fail(`${command} ended with ${signal ?? `status ${code}`}`);
        resolve();
      });
    });
    child.stdin?.on('error', () => {
      // The end of the program is told by its exit.
    });
    child.unref();
    this.#probation = setTimeout(() => {
      this.#kept = undefined;
    }, probationMs);
    this.#probation.unref();
  }

  write(line: string, severity: Severity): boolean {
    const { stdin } = this.#child;
    if (this.#hasFailed || !stdin) return this.#fallback.write(line, severity);
    if (stdin.writableLength + line.length > maxQueuedBytes) return false;
    if (this.#kept && this.#kept.length < maxKeptLines) this.#kept.push({ line, severity });
    stdin.write(`<${facility * 8 + severity.syslog}>${withoutStamp(line)}\n`);
    return true;
  }

  flushSync(): void {
    this.#fallback.flushSync();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#probation);
    if (!this.#hasFailed) {
      this.#child.ref();
      this.#child.stdin?.end();
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), closeTimeoutMs);
      await this.#ended;
      clearTimeout(timer);
    }
    await this.#fallback.close();
  }

  #fail(reason: string): void {
    if (this.#hasFailed) return;
    if (this.#isClosing && this.#child.exitCode === 0) return;
    this.#hasFailed = true;
    clearTimeout(this.#probation);
    this.#onFault(`the system log cannot be used, stderr is used instead: ${reason}`);
    for (const { line, severity } of this.#kept ?? []) this.#fallback.write(line, severity);
    this.#kept = undefined;
  }
}
