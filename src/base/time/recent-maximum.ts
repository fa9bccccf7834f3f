const windowUs = 15_000_000;
/** With the present window, which has only begun, they reach back for at least a minute. */
const windowCount = 5;

/**
 * The largest value of the last minute: a caller that asks every minute misses none, and takes none
 * away from another.
 */
export class RecentMaximum {
  readonly #maxima: number[] = new Array(windowCount).fill(0);
  #window = 0;

  note(value: number, nowUs: number): void {
    this.#advance(nowUs);
    const place = this.#window % windowCount;
    this.#maxima[place] = Math.max(this.#maxima[place] as number, value);
  }

  at(nowUs: number): number {
    this.#advance(nowUs);
    return Math.max(...this.#maxima);
  }

  #advance(nowUs: number): void {
    const window = Math.floor(nowUs / windowUs);
    const first = Math.max(this.#window + 1, window - windowCount + 1);
    for (let next = first; next <= window; next += 1) this.#maxima[next % windowCount] = 0;
    this.#window = window;
  }
}
