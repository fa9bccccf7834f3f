interface PrebufferOptions {
  readonly frameBytes: number;
  /** Nothing is given out before there is so much, or less and no more comes. */
  readonly startBytes: number;
  /** So much stays there while more is to come: below, it is filled up first. */
  readonly leastBytes: number;
  readonly capacityBytes: number;
  /** Something is given out: so much since the beginning. */
  readonly onRead: (readBytes: number) => void;
  /** The target of the last read is full. */
  readonly onFilled: () => void;
  /** Nothing more is given out for now. */
  readonly onEmpty: (reason: string) => void;
  /** There is less than there has to be. */
  readonly onShort: (keptBytes: number) => void;
}

/** Keeps PCM ahead of what is read of it. */
export class Prebuffer {
  readonly #options: PrebufferOptions;
  readonly #memory: Buffer;
  /** Bytes that were written and read since the beginning. */
  #written = 0;
  #read = 0;
  #target: Uint8Array | undefined;
  #isGiving = false;
  #isFed = false;

  constructor(options: PrebufferOptions) {
    this.#options = options;
    this.#memory = Buffer.alloc(options.capacityBytes);
  }

  get writtenBytes(): number {
    return this.#written;
  }

  get keptBytes(): number {
    return this.#written - this.#read;
  }

  get freeBytes(): number {
    return this.#memory.length - this.keptBytes;
  }

  read(target: Uint8Array): void {
    this.#target = target;
    this.#give();
  }

  close(): void {
    this.#target = undefined;
  }

  /** A decoder begins, or has ended: what it left of a frame is forgotten. */
  feed(isFed: boolean): void {
    this.#isFed = isFed;
    if (!isFed) this.#written -= this.keptBytes % this.#options.frameBytes;
    this.#give();
  }

  /** No more than `freeBytes`; none of it is given out once it is closed. */
  write(bytes: Uint8Array): void {
    const at = this.#written % this.#memory.length;
    const first = bytes.subarray(0, this.#memory.length - at);
    this.#memory.set(first, at);
    this.#memory.set(bytes.subarray(first.length), 0);
    this.#written += bytes.length;
    this.#give();
  }

  #give(): void {
    const target = this.#target;
    if (!target || !this.#mayGive(target)) return;
    this.#target = undefined;
    this.#copy(target);
    const hasEnded = !this.#isFed && this.keptBytes === 0;
    if (hasEnded) this.#isGiving = false;
    const { onRead, onFilled, onEmpty } = this.#options;
    onRead(this.#read);
    onFilled();
    if (hasEnded) onEmpty('no more comes');
  }

  #mayGive(target: Uint8Array): boolean {
    const { startBytes, leastBytes, onEmpty, onShort } = this.#options;
    const isShort = this.keptBytes < target.length + leastBytes;
    if (!this.#isFed) this.#isGiving = this.keptBytes > 0;
    else if (!this.#isGiving) this.#isGiving = !isShort && this.keptBytes >= startBytes;
    else if (isShort) {
      this.#isGiving = false;
      onShort(this.keptBytes);
      onEmpty('too little has come');
    }
    return this.#isGiving;
  }

  /** Fills up with silence. */
  #copy(target: Uint8Array): void {
    const bytes = Math.min(target.length, this.keptBytes);
    const at = this.#read % this.#memory.length;
    const first = this.#memory.subarray(at, Math.min(at + bytes, this.#memory.length));
    target.set(first);
    target.set(this.#memory.subarray(0, bytes - first.length), first.length);
    target.fill(0, bytes);
    this.#read += bytes;
  }
}
