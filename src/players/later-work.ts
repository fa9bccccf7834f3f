import { TimeSlice } from '../base/time/loop-share.ts';

/**
 * Work that is done at once while a turn of the event loop is young, and in later turns when there
 * is much of it: a thousand clients that go at one time must not hold up the audio of the others.
 */
export class LaterWork {
  readonly #waiting: (() => void)[] = [];
  #slice: TimeSlice | undefined;
  #nextTurn: NodeJS.Immediate | undefined;

  /** Does `work` now or soon, never before what was given earlier. */
  add(work: () => void): void {
    this.#slice ??= new TimeSlice();
    this.#nextTurn ??= setImmediate(() => this.#goOn());
    if (this.#waiting.length > 0 || this.#slice.isOver) this.#waiting.push(work);
    else work();
  }

  /** Does all that is left. */
  finish(): void {
    clearImmediate(this.#nextTurn);
    this.#nextTurn = undefined;
    this.#slice = undefined;
    for (const work of this.#waiting.splice(0)) work();
  }

  #goOn(): void {
    this.#slice = new TimeSlice();
    let done = 0;
    while (done < this.#waiting.length && !this.#slice.isOver) this.#waiting[done++]?.();
    this.#waiting.splice(0, done);
    const isDone = this.#waiting.length === 0;
    if (isDone) this.#slice = undefined;
    this.#nextTurn = isDone ? undefined : setImmediate(() => this.#goOn());
  }
}
