import { ProtocolError } from '../../base/errors.ts';

/** Reads big-endian numbers of any width. Failure: a `ProtocolError` if bytes end too early. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #bit = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes that are read, the current one included. */
  get byteOffset(): number {
    return Math.ceil(this.#bit / 8);
  }

  get isAtEnd(): boolean {
    return this.byteOffset >= this.#bytes.length;
  }

  /** Reads `width` bits, 0 to 32, as a number from 0. */
  unsigned(width: number): number {
    this.#demand(width);
    let value = 0;
    let wanted = width;
    while (wanted > 0) {
      const used = this.#bit % 8;
      const taken = Math.min(8 - used, wanted);
      const byte = this.#bytes[this.#bit >> 3]!;
      // Multiplied, not shifted: a shift would wrap at 32 bits.
      value = value * (1 << taken) + ((byte >> (8 - used - taken)) & ((1 << taken) - 1));
      this.#bit += taken;
      wanted -= taken;
    }
    return value;
  }

  /** Reads `width` bits as two's complement. */
  signed(width: number): number {
    const value = this.unsigned(width);
    return width > 0 && value >= 2 ** (width - 1) ? value - 2 ** width : value;
  }

  /** Counts zero bits up to the next one bit, which is read too. */
  unary(): number {
    let zeros = 0;
    for (;;) {
      this.#demand(1);
      const used = this.#bit % 8;
      const rest = (this.#bytes[this.#bit >> 3]! << used) & 0xff;
      if (rest !== 0) {
        const leading = Math.clz32(rest) - 24;
        this.#bit += leading + 1;
        return zeros + leading;
      }
      zeros += 8 - used;
      this.#bit += 8 - used;
    }
  }

  /** Goes to the next byte; the bits in between have to be zero. */
  align(): void {
    const padding = (8 - (this.#bit % 8)) % 8;
    if (this.unsigned(padding) !== 0) throw damaged('padding is not zero');
  }

  #demand(bits: number): void {
    if (this.#bit + bits > this.#bytes.length * 8) throw damaged('it ends too early');
  }
}

/** The fault of a chunk whose bits make no sense. */
export function damaged(what: string): ProtocolError {
  return new ProtocolError('bad-chunk', `the flac frame is damaged: ${what}`);
}
