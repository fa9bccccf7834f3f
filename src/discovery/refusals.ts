interface Refusal {
  readonly count: number;
  readonly mayTryAtScan: number;
}

/** About ten minutes of scans. */
const maxScansBetweenTries = 40;

/** Networks that refused are tried again ever more seldom: each try disturbs the others. */
export class Refusals {
  readonly #refusals = new Map<string, Refusal>();
  #scan = 0;

  /** Forgets the links that are gone: what comes back has another chance. */
  nextScan(found: readonly string[]): void {
    this.#scan += 1;
    const present = new Set(found);
    for (const key of this.#refusals.keys()) if (!present.has(key)) this.#refusals.delete(key);
  }

  add(key: string): void {
    const count = (this.#refusals.get(key)?.count ?? 0) + 1;
    const wait = Math.min(2 ** (count - 1), maxScansBetweenTries);
    this.#refusals.set(key, { count, mayTryAtScan: this.#scan + wait });
  }

  mayTry(key: string): boolean {
    return this.#scan >= (this.#refusals.get(key)?.mayTryAtScan ?? 0);
  }
}
