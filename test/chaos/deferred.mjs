/** What is to be undone some time later, or earlier when peace is wanted. */
export class Deferred {
  #works = new Map();

  constructor() {
    // Handed to actions as a plain function.
    this.add = this.add.bind(this);
  }

  add(ms, work) {
    const timer = setTimeout(() => {
      this.#works.delete(timer);
      work();
    }, ms);
    this.#works.set(timer, work);
  }

  /** Does at once all that waits. */
  flush() {
    const works = [...this.#works.values()];
    this.cancel();
    for (const work of works) work();
  }

  cancel() {
    for (const timer of this.#works.keys()) clearTimeout(timer);
    this.#works.clear();
  }
}
