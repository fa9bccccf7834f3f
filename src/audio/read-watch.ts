import type { Clock } from '../base/clock.ts';
import { RestartableTimer } from '../base/time/restartable-timer.ts';

/** How often a read that waits for its source is looked at. */
export const lookMs = 20;

/**
 * Looks at a read that waits for its source. Patience counts looks, not time: when this server was
 * stalled, the audio may lie there, and was not looked for.
 */
export class ReadWatch {
  readonly #clock: Clock;
  readonly #timer: RestartableTimer;
  #isReading = false;
  #looks = 0;
  #readUs = 0;
  #lookedUs = 0;
  #sleptUs = 0;

  /** `onLook` is told how often the read was looked at, and says whether to look again. */
  constructor(clock: Clock, onLook: (looks: number) => boolean) {
    this.#clock = clock;
    this.#timer = new RestartableTimer(lookMs, () => {
      if (!this.#isReading) return;
      this.#looks += 1;
      if (onLook(this.#looks)) this.#timer.restart();
    });
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  /** The time of which note was taken last. */
  get nowUs(): number {
    return this.#lookedUs;
  }

  /** How long the read has waited for its source. */
  get waitedUs(): number {
    return this.#lookedUs - this.#readUs - this.#sleptUs;
  }

  /** How much of the time since the read began this server slept. */
  get sleptUs(): number {
    return this.#sleptUs;
  }

  /** A read begins, of what could have been read `putOffUs` ago. */
  begin(nowUs: number, putOffUs: number): void {
    this.#isReading = true;
    this.#looks = Math.floor(putOffUs / (lookMs * 1000));
    this.#readUs = nowUs;
    this.#lookedUs = nowUs;
    this.#sleptUs = 0;
  }

  /** The read was not done at once. */
  wait(): void {
    this.#timer.restart();
  }

  /** Takes note of the time, and returns for how long this server slept since the last time. */
  note(): number {
    const nowUs = this.#clock.nowUs();
    const sleptUs = Math.max(0, nowUs - this.#lookedUs - lookMs * 1000);
    this.#sleptUs += sleptUs;
    this.#lookedUs = nowUs;
    return sleptUs;
  }

  end(): void {
    this.#isReading = false;
  }

  stop(): void {
    this.#timer.stop();
  }
}
