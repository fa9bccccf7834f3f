/** What is to be shown at a time of the server. */
interface Timed {
  readonly heardUs: number;
}

/** Later ones are no true times: no server buffers for so long. */
const longestWaitUs = 60e6;
const maxWaiting = 20_000;

/** Holds what was measured until it is heard, so that eyes and ears agree. */
export class PlayoutQueue<T extends Timed> {
  /** In the order of their times. */
  #waiting: T[] = [];

  /** When the next one is due; `undefined` while there is none. */
  nextUs(nowUs: number): number | undefined {
    const nextUs = this.#waiting[0]?.heardUs;
    if (nextUs === undefined || nextUs <= nowUs + longestWaitUs) return nextUs;
    // They are of a server before this one.
    this.clear();
    return undefined;
  }

  add(entry: T, nowUs: number): void {
    if (entry.heardUs > nowUs + longestWaitUs) return;
    // Most come in order, or nearly so.
    const before = this.#waiting.findLastIndex(({ heardUs }) => heardUs <= entry.heardUs);
    this.#waiting.splice(before + 1, 0, entry);
    if (this.#waiting.length > maxWaiting) this.#waiting.shift();
  }

  /** Takes out what is heard now, or was before. */
  take(nowUs: number): readonly T[] {
    const rest = this.#waiting.findIndex(({ heardUs }) => heardUs > nowUs);
    return this.#waiting.splice(0, rest < 0 ? this.#waiting.length : rest);
  }

  clear(): void {
    this.#waiting = [];
  }
}
