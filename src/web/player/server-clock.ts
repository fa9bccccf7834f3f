import { ClockLine, type ClockSample } from './clock-line.ts';

/** A Time message and its answer, each by the clock of who sent or received it. */
export interface TimeExchange {
  readonly sentMs: number;
  readonly serverReceivedMs: number;
  readonly serverSentMs: number;
  readonly receivedMs: number;
}

/** The clock of the server was ahead by what lies between the two, as nothing arrives before it was sent. */
interface Bounds {
  readonly atMs: number;
  readonly leastMs: number;
  readonly mostMs: number;
}

const maxExchanges = 80;
/** Before that many, one slow answer would decide alone. */
const neededExchanges = 4;
/** What the best answers are off by: browsers tell the time in steps of 0.1 ms. */
const bestNoiseMs = 0.1;
/** How much a clock changes its rate, as it gets warm, or is led to the time of others. */
const wander = 5e-6;
/** No delay and no drift explain more, so one of the clocks was set. */
const stepMs = 2;
const unknownDrift = 200e-6;

/** The clock of the server, which chunks are timed by, as seen from `performance.now()`. */
export class ServerClock {
  #exchanges: Bounds[] = [];
  #lines: readonly ClockLine[] = [];

  get isKnown(): boolean {
    return this.#exchanges.length >= neededExchanges;
  }

  /** Of the best of the recent exchanges. */
  get roundTripMs(): number {
    return Math.min(...this.#exchanges.map(({ leastMs, mostMs }) => mostMs - leastMs));
  }

  /** Returns whether all that was known before turned out wrong. */
  take({ sentMs, serverReceivedMs, serverSentMs, receivedMs }: TimeExchange): boolean {
    const leastMs = serverSentMs - receivedMs;
    const mostMs = serverReceivedMs - sentMs;
    const atMs = (sentMs + receivedMs) / 2;
    const isStep = !this.#permits({ atMs, leastMs, mostMs });
    if (isStep) this.#exchanges = [];
    this.#exchanges.push({ atMs, leastMs, mostMs });
    if (this.#exchanges.length > maxExchanges) this.#exchanges.shift();
    this.#lines = this.#fit(atMs);
    return isStep;
  }

  /** The time of the server at a time of `performance.now()`. */
  serverMs(atMs: number): number {
    return atMs + this.#aheadMs(atMs);
  }

  /** Whether there is a time that all exchanges allow. */
  #permits({ atMs, leastMs, mostMs }: Bounds): boolean {
    const driftMs = (before: Bounds) => this.#aheadMs(atMs) - this.#aheadMs(before.atMs);
    const slackMs = (before: Bounds) => stepMs + (atMs - before.atMs) * unknownDrift;
    return this.#exchanges.every(
      (before) =>
        leastMs <= before.mostMs + driftMs(before) + slackMs(before) &&
        mostMs >= before.leastMs + driftMs(before) - slackMs(before),
    );
  }

  #aheadMs(atMs: number): number {
    const [round, there, back] = this.#lines;
    if (!round || !there || !back) return Number.NaN;
    return round.aheadMs(atMs) + (there.aheadMs(atMs) + back.aheadMs(atMs)) / 2;
  }

  /**
   * What took longer than the best was held up. First by round trips, which tells the drift; then
   * by each of the ways, as both are seldom good at once.
   */
  #fit(nowMs: number): readonly ClockLine[] {
    const exchanges = this.#exchanges;
    const bestMs = this.roundTripMs;
    const sample = (atMs: number, aheadMs: number, delayMs: number): ClockSample => ({
      atMs,
      aheadMs,
      noiseMs: Math.hypot(bestNoiseMs + delayMs, (nowMs - atMs) * wander),
    });
    const round = new ClockLine(
      exchanges.map(({ atMs, leastMs, mostMs }) =>
        sample(atMs, (leastMs + mostMs) / 2, (mostMs - leastMs - bestMs) / 2),
      ),
    );
    const there = exchanges.map(({ atMs, mostMs }) => mostMs - round.aheadMs(atMs));
    const back = exchanges.map(({ atMs, leastMs }) => leastMs - round.aheadMs(atMs));
    const least = Math.min(...there);
    const most = Math.max(...back);
    return [
      round,
      new ClockLine(exchanges.map(({ atMs }, at) => sample(atMs, there[at]!, there[at]! - least))),
      new ClockLine(exchanges.map(({ atMs }, at) => sample(atMs, back[at]!, most - back[at]!))),
    ];
  }
}
