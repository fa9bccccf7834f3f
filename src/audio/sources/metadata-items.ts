/** Longer ones are skipped: covers are the largest, and those are far smaller. */
export const maxItemBytes = 8 * 1024 * 1024;
/** From `<item>` to the end of its length, with room for blanks. */
const maxHeadCharacters = 200;
/** What may stand between the length of an item and its data. */
const maxGapCharacters = 100;

const head =
  /^<item>\s*<type>([0-9a-f]{8})<\/type>\s*<code>([0-9a-f]{8})<\/code>\s*<length>(\d{1,15})<\/length>/i;
const dataBegin = /^\s*<data encoding="base64">/;
const emptyEnd = /^\s*(?:<data encoding="base64">\s*<\/data>\s*)?<\/item>/;
const dataEnd = '</data>';

/** One fact that `shairport-sync` tells. */
export interface MetadataItem {
  /** Four characters each, as `core` and `minm`. */
  readonly type: string;
  readonly code: string;
  readonly data: Buffer;
}

/** What is read at present: the beginning of an item, what follows its length, or its data. */
type Reading =
  | { readonly part: 'head' }
  | { readonly part: 'gap'; readonly type: string; readonly code: string; readonly length: number }
  | {
      readonly part: 'data';
      readonly type: string;
      readonly code: string;
      readonly memory: Buffer;
      bytes: number;
    };

/**
 * Cuts what comes through the metadata pipe of `shairport-sync` into items. Whatever is no item is
 * skipped up to the next one.
 */
export class MetadataItems {
  readonly #take: (item: MetadataItem) => void;
  #reading: Reading = { part: 'head' };
  /** Not looked at to its end yet; short, but for the data that is being written. */
  #rest = '';

  constructor(take: (item: MetadataItem) => void) {
    this.#take = take;
  }

  write(data: Buffer): void {
    this.#rest += data.toString('latin1');
    while (this.#step()) {}
  }

  /** Returns false when more has to come first. */
  #step(): boolean {
    const reading = this.#reading;
    if (reading.part === 'head') return this.#readHead();
    return reading.part === 'gap' ? this.#readGap(reading) : this.#readData(reading);
  }

  #readHead(): boolean {
    const start = this.#rest.indexOf('<item>');
    if (start < 0) {
      // The last characters may be the beginning of one.
      this.#rest = this.#rest.slice(-'<item'.length);
      return false;
    }
    this.#rest = this.#rest.slice(start);
    const found = head.exec(this.#rest.slice(0, maxHeadCharacters));
    if (!found) return this.#isBroken(maxHeadCharacters) && this.#skip();
    const [whole, type = '', code = '', digits = ''] = found;
    const length = Number(digits);
    if (length > maxItemBytes) return this.#skip();
    this.#rest = this.#rest.slice(whole.length);
    this.#reading = { part: 'gap', type: textOf(type), code: textOf(code), length };
    return true;
  }

  #readGap({ type, code, length }: Extract<Reading, { part: 'gap' }>): boolean {
    const gap = this.#rest.slice(0, maxGapCharacters);
    const found = (length === 0 ? emptyEnd : dataBegin).exec(gap);
    if (!found) return this.#isBroken(maxGapCharacters) && this.#skip();
    this.#rest = this.#rest.slice(found[0].length);
    if (length === 0) this.#finish({ type, code, data: Buffer.alloc(0) });
    else this.#reading = { part: 'data', type, code, memory: Buffer.allocUnsafe(length), bytes: 0 };
    return true;
  }

  #readData(reading: Extract<Reading, { part: 'data' }>): boolean {
    const { type, code, memory } = reading;
    const end = this.#rest.indexOf('<');
    const text = (end < 0 ? this.#rest : this.#rest.slice(0, end)).replace(/\s+/g, '');
    const isEnd = end >= 0;
    // Four characters are three bytes; a part of them waits for the others.
    const whole = isEnd ? text : text.slice(0, text.length - (text.length % 4));
    if (!this.#decode(reading, whole)) return this.#skip();
    if (!isEnd) {
      this.#rest = text.slice(whole.length);
      return false;
    }
    this.#rest = this.#rest.slice(end);
    if (this.#rest.length < dataEnd.length && dataEnd.startsWith(this.#rest)) return false;
    if (!this.#rest.startsWith(dataEnd) || reading.bytes !== memory.length) return this.#skip();
    this.#rest = this.#rest.slice(dataEnd.length);
    this.#finish({ type, code, data: memory });
    return true;
  }

  /** False when it is no base64, or longer than was said. */
  #decode(reading: Extract<Reading, { part: 'data' }>, text: string): boolean {
    if (text === '') return true;
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return false;
    const bytes = Math.floor((text.replace(/=+$/, '').length * 3) / 4);
    if (reading.bytes + bytes > reading.memory.length) return false;
    reading.bytes += reading.memory.write(text, reading.bytes, 'base64');
    return true;
  }

  #finish(item: MetadataItem): void {
    this.#reading = { part: 'head' };
    this.#take(item);
  }

  /** Whether what is missing will not come any more. */
  #isBroken(maxCharacters: number): boolean {
    return this.#rest.length >= maxCharacters || this.#rest.indexOf('<item>', 1) > 0;
  }

  /** Looks for the next item behind the beginning of the present one. */
  #skip(): boolean {
    if (this.#reading.part === 'head') this.#rest = this.#rest.slice(1);
    this.#reading = { part: 'head' };
    return true;
  }
}

function textOf(digits: string): string {
  return Buffer.from(digits, 'hex').toString('latin1');
}
