/** The fan-out lets go of the event loop after this: Time replies must not wait for a whole tick. */
export const maxSliceMs = 1.5;
/** Looking at the clock costs about as much as a hundredth of a send. */
const looksEvery = 8;

/** The time that one piece of work may keep the event loop. */
export class TimeSlice {
  readonly #endMs = performance.now() + maxSliceMs;
  #asked = 0;
  #isOver = false;

  /** Whether the time is up, looked at now and then. */
  get isOver(): boolean {
    this.#asked += 1;
    if (this.#asked % looksEvery === 0) this.#isOver ||= performance.now() > this.#endMs;
    return this.#isOver;
  }
}
