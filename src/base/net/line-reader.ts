const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** Most lines fit; a larger memory is given back after the line that needed it. */
const keptBytes = 4096;

/** Cuts received bytes into lines of text; each byte is copied at most a constant number of times. */
export class LineReader {
  readonly #maxBytes: () => number;
  /** Received, and not looked at yet. */
  readonly #received: Buffer[] = [];
  /** The beginning of a line whose end has not arrived. */
  #begun = Buffer.alloc(0);
  #begunBytes = 0;
  #isOverlong = false;

  /** Shape: `maxBytes` of a line without its ending; nothing is read after a longer one. */
  constructor(maxBytes: () => number) {
    this.#maxBytes = maxBytes;
  }

  /** Memory that the beginning of a line occupies; 0 between two lines. */
  get heldBytes(): number {
    return this.#begunBytes > 0 ? this.#begun.length : 0;
  }

  /** A line was longer than allowed: nothing more can be read. */
  get isOverlong(): boolean {
    return this.#isOverlong;
  }

  /** Ownership: the reader keeps `data` until its lines have been taken. */
  push(data: Buffer): void {
    if (data.length > 0 && !this.#isOverlong) this.#received.push(data);
  }

  /** The next complete line that is not empty, without its ending. */
  next(): string | undefined {
    for (;;) {
      const [data] = this.#received;
      if (!data) return undefined;
      const start = this.#begunBytes === 0 ? emptyLinesIn(data) : 0;
      if (start > 0) {
        this.#keepBehind(data, start);
        continue;
      }
      const end = data.indexOf(lineFeed);
      const bytes = this.#begunBytes + (end < 0 ? data.length : end);
      if (bytes > this.#maxBytes()) return this.#giveUp();
      if (end < 0) {
        this.#begin(data);
        this.#received.shift();
        continue;
      }
      const text = this.#finish(data.subarray(0, end));
      this.#keepBehind(data, end + 1);
      if (text !== '') return text;
    }
  }

  #keepBehind(data: Buffer, start: number): void {
    if (start < data.length) this.#received[0] = data.subarray(start);
    else this.#received.shift();
  }

  #begin(part: Buffer): void {
    const bytes = this.#begunBytes + part.length;
    if (bytes > this.#begun.length) {
      // Doubling, so that a long line of small packets is not copied for each of them.
      const larger = Buffer.allocUnsafeSlow(Math.max(keptBytes, bytes, 2 * this.#begun.length));
      this.#begun.copy(larger, 0, 0, this.#begunBytes);
      this.#begun = larger;
    }
    part.copy(this.#begun, this.#begunBytes);
    this.#begunBytes = bytes;
  }

  #finish(rest: Buffer): string {
    if (this.#begunBytes === 0) return textOf(rest);
    this.#begin(rest);
    const text = textOf(this.#begun.subarray(0, this.#begunBytes));
    this.#begunBytes = 0;
    if (this.#begun.length > keptBytes) this.#begun = Buffer.alloc(0);
    return text;
  }

  #giveUp(): undefined {
    this.#isOverlong = true;
    this.#received.length = 0;
    this.#begun = Buffer.alloc(0);
    this.#begunBytes = 0;
  }
}

/** Bytes of empty lines in front: a flood of them must not cost as much as one of requests. */
function emptyLinesIn(data: Buffer): number {
  let bytes = 0;
  for (;;) {
    const end = data[bytes] === carriageReturn ? bytes + 1 : bytes;
    if (data[end] !== lineFeed) return bytes;
    bytes = end + 1;
  }
}

function textOf(line: Buffer): string {
  const isDos = line.at(-1) === carriageReturn;
  return line.toString('utf8', 0, isDos ? line.length - 1 : line.length);
}
