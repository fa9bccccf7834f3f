import { close, fstatSync, read } from 'node:fs';

const emptyRetryMs = 500;

interface FileLoopOptions {
  /** Where the audio lies in the file, in bytes; `dataEnd` may lie behind the end of the file. */
  readonly dataStart: number;
  readonly dataEnd: number;
  readonly frameBytes: number;
  /** A pass through the file that gives less than this means that the file is empty. */
  readonly shortestBytes: number;
  /** What is read at a time, a multiple of `frameBytes`. */
  readonly blockBytes: number;
  /** Changes the samples of a block, all of them whole, in place. */
  readonly convert?: ((samples: Uint8Array) => void) | undefined;
  /** More can be copied, or the file turns out to be empty. */
  readonly onBlock: () => void;
  readonly onFault: (error: Error) => void;
}

/**
 * Reads a file over and over, one block ahead of the caller of `copyTo`: what is taken is usually
 * there already, and costs no turn of the event loop.
 *
 * Ownership: the descriptor belongs to the loop.
 */
export class FileLoop {
  readonly #fd: number;
  readonly #options: FileLoopOptions;
  /** The block that is taken from, and the one that is being filled or is complete. */
  #front: Uint8Array;
  #back: Uint8Array;
  /** Taken from the front. */
  #taken: number;
  /** Filled of the back. */
  #filled = 0;
  #position: number;
  #isStarved = false;
  #isClosed = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(fd: number, options: FileLoopOptions) {
    this.#fd = fd;
    this.#options = options;
    this.#front = new Uint8Array(options.blockBytes);
    this.#back = new Uint8Array(options.blockBytes);
    this.#taken = options.blockBytes;
    this.#position = options.dataStart;
    this.#readMore();
  }

  /** The file is empty: nothing comes behind what was read before. */
  get isStarved(): boolean {
    return this.#isStarved;
  }

  /** Copies what is at hand, and returns how many bytes that were; `onBlock` tells when more is. */
  copyTo(target: Uint8Array): number {
    let copied = 0;
    while (copied < target.length && this.#hasMore()) {
      const part = this.#front.subarray(this.#taken, this.#taken + target.length - copied);
      target.set(part, copied);
      copied += part.length;
      this.#taken += part.length;
    }
    return copied;
  }

  /** Goes on so many bytes later, whole frames, as if they had been taken. */
  skip(bytes: number): void {
    const { dataStart, dataEnd, frameBytes } = this.#options;
    const fileBytes = Math.min(fstatSync(this.#fd).size, dataEnd) - dataStart;
    const passBytes = fileBytes - (fileBytes % frameBytes);
    if (this.#isStarved || passBytes <= 0) return;
    const atHand = this.#front.length - this.#taken + this.#filled;
    const next = (this.#position - dataStart - atHand + bytes) % passBytes;
    this.#position = dataStart + ((next + passBytes) % passBytes);
    this.#taken = this.#front.length;
    // A read that is under way still writes into the memory that it was given.
    this.#back = new Uint8Array(this.#back.length);
    this.#filled = 0;
    this.#readMore();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    await this.#reading;
    await new Promise((resolve) => close(this.#fd, resolve));
  }

  #hasMore(): boolean {
    if (this.#taken < this.#front.length) return true;
    if (this.#filled < this.#back.length) return false;
    [this.#front, this.#back] = [this.#back, this.#front];
    this.#taken = 0;
    this.#filled = 0;
    this.#readMore();
    return true;
  }

  #readMore(): void {
    const [back, filled, position] = [this.#back, this.#filled, this.#position];
    const bytes = Math.min(back.length - filled, this.#options.dataEnd - position);
    const reading = new Promise<void>((resolve) => {
      read(this.#fd, back, filled, bytes, position, (error, bytesRead) => {
        resolve();
        if (this.#isClosed || back !== this.#back) return;
        if (error) this.#options.onFault(error);
        else if (bytesRead === 0) this.#rewind();
        else this.#took(bytesRead);
      });
    });
    this.#reading = Promise.all([this.#reading, reading]);
  }

  #took(bytes: number): void {
    this.#position += bytes;
    this.#filled += bytes;
    if (this.#filled < this.#back.length) this.#readMore();
    else {
      this.#isStarved = false;
      this.#options.convert?.(this.#back);
      this.#options.onBlock();
    }
  }

  /**
   * Goes on from the beginning in the middle of the block: no sample is lost, none is added. Blocks
   * begin with a whole frame, so one that the file cuts off lies in this block.
   */
  #rewind(): void {
    const { dataStart, frameBytes, shortestBytes } = this.#options;
    const readBytes = this.#position - dataStart;
    this.#position = dataStart;
    this.#filled -= readBytes % frameBytes;
    if (readBytes >= shortestBytes) this.#readMore();
    else this.#starve();
  }

  #starve(): void {
    this.#filled = 0;
    this.#isStarved = true;
    this.#retryTimer = setTimeout(() => this.#readMore(), emptyRetryMs);
    this.#options.onBlock();
  }
}
