import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { messageOf, SourceError } from '../../base/errors.ts';
import { packageFolder } from '../../base/package-folder.ts';
import {
  type FlacStream,
  type FlacStreamSettings,
  type FlacWork,
  flacFault,
} from './flac-library.ts';

/** What the thread is started with. */
export interface FlacThreadSettings extends Omit<FlacStreamSettings, 'format'> {
  readonly format: string;
}

/** PCM to be encoded; without it, the end of a run. */
export interface FlacThreadRequest {
  readonly pcm?: Uint8Array<ArrayBuffer>;
}

/** What a request has led to, or the start of the thread. */
export type FlacThreadReply =
  | { readonly blocks: readonly FlacThreadBlock[]; readonly tookUs: number }
  | { readonly failure: string };

export interface FlacThreadBlock {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly frames: number;
}

/** As it was built, also for tests: threads have no loader for the sources. */
const program = join(packageFolder, 'dist', 'audio', 'encoders', 'flac-thread-program.js');

interface Waiting {
  resolve(work: FlacWork): void;
  reject(error: unknown): void;
}

/** An encoder of `libflacjs` in a thread of its own, for what would keep the event loop for too long. */
export class FlacThread implements FlacStream {
  readonly maxSamples = Number.POSITIVE_INFINITY;
  readonly #frameBytes: number;
  readonly #worker: Worker;
  #waiting: Waiting | undefined;
  #failure: unknown;
  #made: readonly FlacThreadBlock[] = [];
  #taken = 0;

  /** Resolves when the thread is ready to encode. Failure: rejects with a `SourceError`. */
  static async open(settings: FlacStreamSettings): Promise<FlacThread> {
    const thread = new FlacThread(settings);
    try {
      await thread.#reply();
      return thread;
    } catch (error) {
      thread.close();
      throw error;
    }
  }

  private constructor(settings: FlacStreamSettings) {
    this.#frameBytes = settings.format.frameBytes;
    const workerData: FlacThreadSettings = { ...settings, format: String(settings.format) };
    try {
      this.#worker = new Worker(program, { workerData, name: 'flac encoder' });
    } catch (cause) {
      // The system has no thread to spare.
      throw flacFault(`its thread cannot start: ${messageOf(cause)}`, cause);
    }
    this.#worker.on('message', (reply: FlacThreadReply) => this.#onReply(reply));
    this.#worker.on('error', (cause) => {
      this.#fail(flacFault(`its thread broke: ${messageOf(cause)}`, cause));
    });
    this.#worker.on('exit', (status) => this.#fail(flacFault(`its thread ended (${status})`)));
  }

  get blocks(): readonly number[] {
    return this.#made.flatMap(({ bytes, frames }) => [bytes.length, frames]);
  }

  /** The thread begins by itself. */
  begin(): void {}

  process(pcm: Uint8Array, startFrame: number, frames: number): Promise<FlacWork> {
    const start = startFrame * this.#frameBytes;
    // The memory of the pool cannot be given away.
    const copy = new Uint8Array(pcm.subarray(start, start + frames * this.#frameBytes));
    this.#worker.postMessage({ pcm: copy } satisfies FlacThreadRequest, [copy.buffer]);
    return this.#reply();
  }

  finish(): Promise<FlacWork> {
    this.#worker.postMessage({} satisfies FlacThreadRequest);
    return this.#reply();
  }

  take(target: Uint8Array): void {
    target.set(this.#made[this.#taken]!.bytes);
    this.#taken += 1;
  }

  close(): void {
    this.#waiting = undefined;
    void this.#worker.terminate();
  }

  #reply(): Promise<FlacWork> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) reject(this.#failure);
      else this.#waiting = { resolve, reject };
    });
  }

  #onReply(reply: FlacThreadReply): void {
    if ('failure' in reply) {
      this.#fail(new SourceError('flac-encoder', reply.failure));
      return;
    }
    this.#made = reply.blocks;
    this.#taken = 0;
    this.#waiting?.resolve({ blocks: reply.blocks.length, tookUs: reply.tookUs });
  }

  /** The first failure is the reason; what comes later is its consequence. */
  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
  }
}
