/** The memory for requests of all controllers that are not complete yet, by whichever way they come. */
export class RequestBudget {
  readonly #options: { readonly maxIncompleteBytes: number };
  #takenBytes = 0;

  constructor(options: { readonly maxIncompleteBytes: number }) {
    this.#options = options;
  }

  /** Whether there is room for so many bytes more; if so, they are taken until `give`. */
  take(bytes: number): boolean {
    if (this.#takenBytes + bytes > this.#options.maxIncompleteBytes) return false;
    this.#takenBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#takenBytes -= bytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }
}
