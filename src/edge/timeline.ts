import { type Clock, monotonicClock } from '../base/clock.ts';
import { ClockDiscipline, type ClockExchange } from './clock-discipline.ts';

/** The time of an origin, by the clock of this machine; that alone before it is `isLocked`. */
export class Timeline implements Clock {
  readonly #local: Clock;
  readonly #discipline = new ClockDiscipline();
  #newestUs = 0;
  #exchanges = 0;
  #answeredUs = Number.NEGATIVE_INFINITY;
  #onLocked: (() => void)[] = [];

  constructor(local: Clock = monotonicClock) {
    this.#local = local;
  }

  nowUs(): number {
    const nowUs = this.#local.nowUs() + this.offsetUs;
    // It is corrected in the first seconds.
    this.#newestUs = Math.max(this.#newestUs, nowUs);
    return this.#newestUs;
  }

  get isLocked(): boolean {
    return this.#discipline.isLocked;
  }

  /** It was once, and has gone on since. */
  get isKnown(): boolean {
    return this.#discipline.hasOutput;
  }

  /** Less the clock of this machine. */
  get offsetUs(): number {
    return this.#discipline.offsetUs(this.#local.nowUs());
  }

  /** From the time of the origin to this one: another one only when the origin's has jumped. */
  get shiftUs(): number {
    return this.#discipline.shiftUs;
  }

  /** See `ClockDiscipline`. */
  get figures() {
    const { ratePpm, leastRoundTripUs, breaks } = this.#discipline;
    const nowUs = this.#local.nowUs();
    return {
      isLocked: this.isLocked,
      offsetUs: this.offsetUs,
      errorBoundUs: this.#discipline.errorBoundUs(nowUs),
      ratePpm,
      leastRoundTripUs,
      breaks,
      exchanges: this.#exchanges,
      /** Infinite before the first answer. */
      silentUs: nowUs - this.#answeredUs,
    };
  }

  /** By the clock of this machine. */
  add(exchange: ClockExchange): void {
    const { isLocked: wasLocked, isKnown: wasKnown } = this;
    this.#exchanges += 1;
    this.#answeredUs = exchange.arrivedUs;
    this.#discipline.add(exchange);
    if (wasLocked || !this.isLocked) return;
    // Nothing was told the time before.
    if (!wasKnown) this.#newestUs = 0;
    for (const onLocked of this.#onLocked.splice(0)) onLocked();
  }

  /** The origin has another clock from now on; this one goes on as it was. */
  restart(): void {
    this.#discipline.restart();
  }

  async locked(): Promise<void> {
    if (this.isLocked) return;
    await new Promise<void>((resolve) => this.#onLocked.push(resolve));
  }
}
