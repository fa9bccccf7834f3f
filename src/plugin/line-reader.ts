/**
 * The longest message of a control script: an image of the largest size in base64, which makes
 * four characters of three bytes, and some words.
 */
export const maxLineBytes = 8 * 1024 * 1024;

const lineFeed = 0x0a;
const firstHeldBytes = 1024;
const noBytes = Buffer.alloc(0);

export interface LineReaderOptions {
  readonly line: (text: string) => void;
  /** The line is longer than `maxLineBytes`; nothing is read after it. */
  readonly tooLong: () => void;
}

/** Cuts what a control script writes into lines, whole or not at all. */
export class LineReader {
  readonly #options: LineReaderOptions;
  /** The beginning of a line, in memory that grows by doubling: pieces may be single bytes. */
  #held = noBytes;
  #heldBytes = 0;
  #isTooLong = false;

  constructor(options: LineReaderOptions) {
    this.#options = options;
  }

  write(data: Buffer): void {
    let at = 0;
    for (let end = data.indexOf(lineFeed); end >= 0; end = data.indexOf(lineFeed, at)) {
      const rest = data.subarray(at, end);
      if (!this.#fits(rest)) return;
      if (this.#heldBytes === 0) this.#finish(rest);
      else this.#finish(this.#hold(rest));
      at = end + 1;
    }
    const rest = data.subarray(at);
    if (this.#fits(rest)) this.#hold(rest);
  }

  #fits(piece: Buffer): boolean {
    if (this.#isTooLong) return false;
    if (this.#heldBytes + piece.length <= maxLineBytes) return true;
    this.#isTooLong = true;
    this.#held = noBytes;
    this.#options.tooLong();
    return false;
  }

  /** Returns all that is held of the line now. */
  #hold(piece: Buffer): Buffer {
    const bytes = this.#heldBytes + piece.length;
    if (bytes > this.#held.length) {
      const grown = Buffer.alloc(Math.max(bytes, 2 * this.#held.length, firstHeldBytes));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    piece.copy(this.#held, this.#heldBytes);
    this.#heldBytes = bytes;
    return this.#held.subarray(0, bytes);
  }

  /** Empty lines are left out. */
  #finish(line: Buffer): void {
    const text = line.toString('utf8').trim();
    this.#held = noBytes;
    this.#heldBytes = 0;
    if (text !== '') this.#options.line(text);
  }
}
