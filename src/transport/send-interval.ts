import type { Chunk } from '../audio/chunk.ts';

/** A quota never exceeds this, whatever the size of chunks. */
export const maxSendChunks = 512;

/** With `auto`: a share of the buffer, but never more than this. */
const autoIntervalShare = 5;
const maxAutoIntervalMs = 200;
/** To reach the size that is wanted, `auto` may use up so much of the buffer. */
const wantedSendShare = 4;

/** Chunks of a codec differ in size; every change of the interval disturbs the phases. */
const reviewEvery = 64;
/** A whole number of chunks, but for what rounding leaves of the average. */
const roundingSlack = 0.01;

export interface SendIntervalOptions {
  /** End-to-end delay. */
  readonly bufferMs: number;
  /** Time between two sends to one session; `auto` derives it from the buffer. */
  readonly sendIntervalMs: number | 'auto';
  /** With `auto` a send shall have at least so many bytes, where a part of the buffer allows it. */
  readonly wantedSendBytes: number;
}

/** How many chunks of a stream make one send. */
export class SendInterval {
  readonly #options: SendIntervalOptions;
  #averageUs = 0;
  #averageBytes = 0;
  #seen = 0;
  #chunks = 1;

  constructor(options: SendIntervalOptions) {
    this.#options = options;
  }

  /** Chunks per send. */
  get chunks(): number {
    return this.#chunks;
  }

  /** How long a chunk lasts on average; 0 before the first one. */
  get chunkUs(): number {
    return this.#averageUs;
  }

  /** A chunk was published. */
  note({ durationUs, tcpMessage }: Chunk): void {
    const weight = 1 / Math.min(this.#seen + 1, reviewEvery);
    this.#averageUs += (durationUs - this.#averageUs) * weight;
    this.#averageBytes += (tcpMessage.length - this.#averageBytes) * weight;
    if (this.#seen % reviewEvery === 0) this.#chunks = this.#wantedChunks();
    this.#seen += 1;
  }

  #wantedChunks(): number {
    const { sendIntervalMs } = this.#options;
    const intervalMs = sendIntervalMs === 'auto' ? this.#autoIntervalMs() : sendIntervalMs;
    const chunks = Math.floor((intervalMs * 1000) / Math.max(1, this.#averageUs) + roundingSlack);
    return Math.max(1, Math.min(maxSendChunks, chunks));
  }

  #autoIntervalMs(): number {
    const { bufferMs, wantedSendBytes } = this.#options;
    const usualMs = autoSendIntervalMs(bufferMs);
    const chunksWanted = Math.ceil(wantedSendBytes / this.#averageBytes);
    const wantedMs = (chunksWanted * this.#averageUs) / 1000;
    return Math.max(usualMs, Math.min(wantedMs, bufferMs / wantedSendShare));
  }
}

/** `send_interval = auto`, where zero-copy wants no more. */
export function autoSendIntervalMs(bufferMs: number): number {
  return Math.min(maxAutoIntervalMs, bufferMs / autoIntervalShare);
}
