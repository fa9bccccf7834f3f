/** Looks of the last ten seconds, one each. */
const windowLooks = 11;

/** The last looks at something that is looked at once a second. */
export class Recent<T> {
  readonly #looks: { readonly atUs: number; readonly look: T }[] = [];

  add(atUs: number, look: T): void {
    this.#looks.push({ atUs, look });
    if (this.#looks.length > windowLooks) this.#looks.shift();
  }

  get newest(): T | undefined {
    return this.#looks.at(-1)?.look;
  }

  get seconds(): number {
    return ((this.#looks.at(-1)?.atUs ?? 0) - (this.#looks[0]?.atUs ?? 0)) / 1e6;
  }

  /** By how much a count has grown in all, 0 before the second look; `undefined` while it is not told. */
  growth(of: (look: T) => number | undefined): number | undefined {
    const first = this.#looks[0];
    const last = this.#looks.at(-1);
    if (!first || !last) return undefined;
    const [from, to] = [of(first.look), of(last.look)];
    // It begins anew with a new stream or connection.
    return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
  }

  /** By how much it has grown since the look before the newest. */
  step(of: (look: T) => number | undefined): number {
    const [before, now] = [this.#looks.at(-2), this.#looks.at(-1)];
    const [from, to] = [before && of(before.look), now && of(now.look)];
    return from === undefined || to === undefined ? 0 : Math.max(0, to - from);
  }

  /** The largest is the first. */
  largest(of: (look: T) => number, place = 0): number {
    const values = this.#looks.map(({ look }) => of(look)).sort((a, b) => b - a);
    return values[place] ?? 0;
  }
}
