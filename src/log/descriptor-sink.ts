import { close, write, writeSync } from 'node:fs';
import { messageOf } from '../errors.ts';
import { closeTimeoutMs, type LogSink, maxQueuedBytes } from './log-sink.ts';

/** A descriptor that is not ready (EAGAIN) is tried again after this time. */
const retryMs = 10;

/** So often a last, synchronous write may find its reader busy before what is left is lost. */
const maxVainAttempts = closeTimeoutMs / retryMs;

/**
 * Writes lines to an open descriptor, off the main thread and in order, so that a terminal or a
 * pipe that nobody reads cannot hold up the audio.
 *
 * Ownership: closes the descriptor only when `owned`.
 */
export class DescriptorSink implements LogSink {
  readonly #descriptor: number;
  readonly #owned: boolean;
  readonly #onFault: (sentence: string) => void;
  readonly #flushAtExit = () => this.flushSync();
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #isWriting = false;
  /** Nobody will ever read again (EPIPE). */
  #isUnread = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #faultTold = false;
  #whenIdle: (() => void) | undefined;

  constructor(options: {
    readonly descriptor: number;
    readonly owned: boolean;
    /** Told once when lines cannot be written, for example because the disk is full. */
    readonly onFault: (sentence: string) => void;
  }) {
    this.#descriptor = options.descriptor;
    this.#owned = options.owned;
    this.#onFault = options.onFault;
    process.on('exit', this.#flushAtExit);
  }

  write(line: string): boolean {
    if (this.#isUnread || this.#isClosed) return true;
    const bytes = Buffer.from(`${line}\n`);
    if (this.#queuedBytes + bytes.length > maxQueuedBytes) return false;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (!this.#isWriting) this.#writeQueue();
    return true;
  }

  flushSync(): void {
    // The thread pool has a write in hand and says only later how it went: let it go first.
    if (this.#isWriting) sleepSync(retryMs);
    const bytes = Buffer.concat(this.#queue);
    this.#queue = [];
    this.#queuedBytes -= bytes.length;
    let done = 0;
    let vainAttempts = 0;
    while (done < bytes.length && vainAttempts < maxVainAttempts) {
      const written = writeNow(this.#descriptor, bytes.subarray(done));
      done += written;
      if (written === 0) vainAttempts += 1;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeOnce();
    return this.#closing;
  }

  async #closeOnce(): Promise<void> {
    if (this.#isWriting) await this.#idle();
    this.#release();
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, closeTimeoutMs);
      this.#whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #release(): void {
    this.#isClosed = true;
    process.off('exit', this.#flushAtExit);
    if (!this.#isWriting) this.#letGo();
  }

  #letGo(): void {
    if (this.#owned) close(this.#descriptor, () => {});
  }

  #writeQueue(): void {
    const bytes = Buffer.concat(this.#queue);
    this.#queue = [];
    this.#isWriting = true;
    this.#writeBytes(bytes);
  }

  #writeBytes(bytes: Buffer): void {
    write(this.#descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (this.#isClosed) {
        // The close has not waited any longer: what is left is lost.
        this.#letGo();
        return;
      }
      if (error?.code === 'EAGAIN') {
        // Back into the queue, where a process that ends meanwhile still finds it.
        this.#queue.unshift(bytes);
        setTimeout(() => this.#writeQueue(), retryMs);
        return;
      }
      this.#queuedBytes -= error ? bytes.length : written;
      if (error) this.#fail(error);
      if (!error && written < bytes.length) {
        this.#writeBytes(bytes.subarray(written));
      } else if (this.#queue.length > 0) {
        this.#writeQueue();
      } else {
        this.#isWriting = false;
        this.#whenIdle?.();
      }
    });
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (error.code === 'EPIPE') {
      this.#isUnread = true;
      this.#queue = [];
    } else if (!this.#faultTold) {
      this.#faultTold = true;
      this.#onFault(`log lines are lost: ${messageOf(error)}`);
    }
  }
}

/** Writes what the descriptor takes; after a moment of rest, nothing when it is not ready. */
function writeNow(descriptor: number, bytes: Buffer): number {
  try {
    return writeSync(descriptor, bytes);
  } catch (thrown) {
    const isBusy = thrown instanceof Error && 'code' in thrown && thrown.code === 'EAGAIN';
    if (isBusy) sleepSync(retryMs);
    // Any other fault: the process ends, and this was the place to say so.
    return isBusy ? 0 : bytes.length;
  }
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
