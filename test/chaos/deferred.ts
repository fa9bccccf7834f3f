/** What is to be undone some time later, or earlier when peace is wanted. */
export class Deferred {
  readonly #works = new Map<NodeJS.Timeout, () => void>();

  /** Handed to actions as a plain function. */
  readonly add = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      this.#works.delete(timer);
      work();
    }, ms);
    this.#works.set(timer, work);
  };

  /** Does at once all that waits. */
  flush(): void {
    const works = [...this.#works.values()];
    this.cancel();
    for (const work of works) work();
  }

  cancel(): void {
    for (const timer of this.#works.keys()) clearTimeout(timer);
    this.#works.clear();
  }
}
