import { Trend } from '../audio/trend.ts';

/** Of the requests within each only the quickest counts: its way was the shortest. */
const intervalUs = 5_000_000;
/** Before it has been watched for so long its clock is not judged. */
const leastLengthUs = 30_000_000;
/** What is off by more is no delay: the clock of the player was set, or another one is meant. */
const stepUs = 500_000;
const maxSteps = 3;
/** It is not told more vaguely: a way that has become longer lets every clock look slow for a while. */
const maxErrorPpm = 20;
/** No clock of a player is so wrong. */
const maxPpm = 5000;

/** When a Time request was sent, by the clock of the player, and when it came. */
interface TimeRequest {
  readonly askedUs: number;
  readonly receivedUs: number;
}

/** How fast the clock of a player goes, from the Time requests that it sends anyway. */
export class ClockDrift {
  readonly #trend = new Trend(intervalUs);
  #last: TimeRequest = { askedUs: 0, receivedUs: 0 };
  #expectedUs: number | undefined;
  #steps = 0;

  /** By how many millionths it is faster than the clock of this server; `undefined` while unknown. */
  get ppm(): number | undefined {
    const errorPpm = 1e6 * this.#trend.slopeError;
    if (this.#trend.lengthUs < leastLengthUs || errorPpm > maxErrorPpm) return undefined;
    const ppm = -1e6 * this.#trend.slope;
    return Math.abs(ppm) <= maxPpm ? ppm : undefined;
  }

  /** One that is known already says nothing new. */
  add(request: TimeRequest): void {
    const { askedUs, receivedUs } = request;
    const isNew = receivedUs > this.#last.receivedUs && askedUs !== this.#last.askedUs;
    if (!isNew || askedUs === 0) return;
    this.#last = request;
    const latencyUs = receivedUs - askedUs;
    this.#expectedUs ??= latencyUs;
    if (Math.abs(latencyUs - this.#expectedUs) > stepUs) {
      this.#steps += 1;
      if (this.#steps < maxSteps) return;
      this.#trend.clear();
    }
    this.#steps = 0;
    this.#expectedUs = latencyUs;
    this.#trend.add(receivedUs, latencyUs);
  }
}
