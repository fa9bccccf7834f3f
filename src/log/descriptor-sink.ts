import { closeSync, writeSync } from 'node:fs';
import { codeOf, messageOf } from '../base/errors.ts';
import { closeTimeoutMs, type LogSink, maxQueuedBytes } from './log-sink.ts';

/** A descriptor whose reader takes nothing at the moment (EAGAIN) is tried again after this. */
const retryMs = 10;

/** So often a last write may find its reader busy before what is left is lost. */
const maxVainAttempts = closeTimeoutMs / retryMs;

/**
 * Writes lines to an open descriptor at once, so that a process that dies has said everything;
 * what a non-blocking reader does not take yet waits in a bounded queue.
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
  #retry: NodeJS.Timeout | undefined;
  /** The reader is gone for good (EPIPE). */
  #isUnread = false;
  #faultTold = false;
  #closing: Promise<void> | undefined;

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
    if (this.#isUnread || this.#closing) return true;
    const bytes = Buffer.from(`${line}\n`);
    if (this.#queuedBytes + bytes.length > maxQueuedBytes) return false;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (!this.#retry) this.#writeQueue();
    return true;
  }

  flushSync(): void {
    for (let vain = 0; this.#queue.length > 0 && vain < maxVainAttempts; ) {
      const before = this.#queuedBytes;
      this.#writeQueue();
      if (this.#queuedBytes < before) continue;
      vain += 1;
      sleepSync(retryMs);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeOnce();
    return this.#closing;
  }

  async #closeOnce(): Promise<void> {
    for (let vain = 0; this.#queue.length > 0 && vain < maxVainAttempts; vain++) {
      await new Promise((resolve) => setTimeout(resolve, retryMs));
      this.#writeQueue();
    }
    clearTimeout(this.#retry);
    process.off('exit', this.#flushAtExit);
    if (this.#owned) closeSync(this.#descriptor);
  }

  /** Writes until the queue is empty or the reader takes no more. */
  #writeQueue(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    for (let bytes = this.#queue[0]; bytes; bytes = this.#queue[0]) {
      const written = this.#writeSome(bytes);
      if (written === 0) {
        this.#retry = setTimeout(() => this.#writeQueue(), retryMs);
        return;
      }
      this.#queuedBytes -= written;
      if (written < bytes.length) this.#queue[0] = bytes.subarray(written);
      else this.#queue.shift();
    }
  }

  /** How many bytes are off our hands: written, or lost for good. */
  #writeSome(bytes: Buffer): number {
    try {
      return writeSync(this.#descriptor, bytes);
    } catch (thrown) {
      const code = codeOf(thrown);
      if (code === 'EAGAIN') return 0;
      if (code === 'EPIPE') this.#isUnread = true;
      else this.#tellOnce(`log lines are lost: ${messageOf(thrown)}`);
      return bytes.length;
    }
  }

  #tellOnce(sentence: string): void {
    if (this.#faultTold) return;
    this.#faultTold = true;
    this.#onFault(sentence);
  }
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
