const free = 0;
const held = -1;

/**
 * The exclusive right to write to one socket: one 32-bit word shared with native code.
 *
 * The word is 0 when no thread writes, −1 while the fan-out holds it, and otherwise the number of
 * asynchronous writes under way. Every change is one atomic exchange: nothing is checked first
 * and done afterwards.
 *
 * Ownership: all holders of the same word share the right, on any thread.
 */
export class Reservation {
  readonly word: Int32Array<SharedArrayBuffer>;

  constructor(word = new Int32Array(new SharedArrayBuffer(4))) {
    this.word = word;
  }

  /** Takes the right for the fan-out; false when it is not free. */
  tryHold(): boolean {
    return Atomics.compareExchange(this.word, 0, free, held) === free;
  }

  /** Gives back what `tryHold` took. */
  release(): void {
    Atomics.compareExchange(this.word, 0, held, free);
  }

  /** Announces one asynchronous write; false while the fan-out holds the right. */
  tryRaise(): boolean {
    let seen = Atomics.load(this.word, 0);
    while (seen !== held) {
      const before = Atomics.compareExchange(this.word, 0, seen, seen + 1);
      if (before === seen) return true;
      seen = before;
    }
    return false;
  }

  /** Ends one asynchronous write. */
  lower(): void {
    Atomics.sub(this.word, 0, 1);
  }

  get isFree(): boolean {
    return Atomics.load(this.word, 0) === free;
  }
}
