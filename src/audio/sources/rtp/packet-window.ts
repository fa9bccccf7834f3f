/** More than what is held back has packets, at one millisecond each. */
export const windowPackets = 1024;

/**
 * Which of the last packets have come, by sequence numbers that only grow: so duplicates are known,
 * and each packet that is not waited for any more is counted as lost once.
 */
export class PacketWindow {
  readonly #sequences = new Float64Array(windowPackets).fill(-1);
  readonly #positions = new Float64Array(windowPackets);
  #newest = -1;
  /** All before are counted. */
  #counted = 0;
  #lostPackets = 0;

  get lostPackets(): number {
    return this.#lostPackets;
  }

  get newest(): number {
    return this.#newest;
  }

  /** Goes on with another sender; the packets from `sequence` on are waited for. */
  restart(sequence: number): void {
    this.settle();
    this.#newest = sequence - 1;
    this.#counted = sequence;
  }

  has(sequence: number): boolean {
    return this.#sequences[sequence % windowPackets] === sequence;
  }

  add(sequence: number, position: number): void {
    while (sequence - this.#counted >= windowPackets) this.#countNext();
    this.#sequences[sequence % windowPackets] = sequence;
    this.#positions[sequence % windowPackets] = position;
    this.#newest = Math.max(this.#newest, sequence);
  }

  /** Counts what is missing among the packets whose audio lies before `position`. */
  settle(position = Number.POSITIVE_INFINITY): void {
    while (this.#counted <= this.#newest) {
      const isThere = this.has(this.#counted);
      if (isThere && this.#positions[this.#counted % windowPackets]! >= position) return;
      this.#countNext();
    }
  }

  #countNext(): void {
    if (!this.has(this.#counted)) this.#lostPackets += 1;
    this.#counted += 1;
  }
}
