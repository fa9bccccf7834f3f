import performanceHooks, { type IntervalHistogram } from 'node:perf_hooks';
import { RecentMaximum } from '../base/time/recent-maximum.ts';

/** Each look at the delay wakes the process up: 0.4 % of a core. */
const resolutionMs = 10;
const usualWindowMs = 15_000;
const overlapMs = 5 * resolutionMs;
/** Without a question for so long none is expected. */
const usualMaxUnaskedMs = 10 * 60_000;
const nsPerSecond = 1e9;

/** How late timers came, seconds. */
export interface DelayFigures {
  /** Of the last minute. */
  readonly max: number;
  /** Of the last quarter of a minute that is over, or since the beginning. */
  readonly min: number;
  readonly mean: number;
  readonly stddev: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/**
 * The delay of the event loop in fixed windows of time, the same for every caller.
 *
 * It is observed from the first question on, and until ten minutes after the last.
 */
export class EventLoopDelay {
  readonly #windowMs: number;
  readonly #maxUnaskedMs: number;
  #histogram: IntervalHistogram | undefined;
  #next: IntervalHistogram | undefined;
  #timer: NodeJS.Timeout | undefined;
  #max = new RecentMaximum();
  #last: DelayFigures | undefined;
  #askedMs = 0;

  constructor({ windowMs = usualWindowMs, maxUnaskedMs = usualMaxUnaskedMs } = {}) {
    this.#windowMs = windowMs;
    this.#maxUnaskedMs = maxUnaskedMs;
  }

  /** `undefined` while there is nothing to tell. */
  get figures(): DelayFigures | undefined {
    this.#askedMs = performance.now();
    this.#histogram ??= this.#start();
    const present = this.#present(this.#histogram);
    const figures = this.#last ?? present;
    return figures && { ...figures, max: this.#max.at(performance.now() * 1000) };
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#histogram?.disable();
    this.#next?.disable();
    this.#histogram = undefined;
    this.#next = undefined;
    this.#last = undefined;
    this.#max = new RecentMaximum();
  }

  #start(): IntervalHistogram {
    this.#timer = setTimeout(() => this.#beginNext(), this.#windowMs).unref();
    return observe();
  }

  /** A histogram that is reset, or new, misses what is under way: for a while there are two. */
  #beginNext(): void {
    if (performance.now() - this.#askedMs > this.#maxUnaskedMs) {
      this.stop();
      return;
    }
    this.#next = observe();
    this.#timer = setTimeout(() => this.#endWindow(), overlapMs).unref();
  }

  #endWindow(): void {
    const past = this.#histogram;
    past?.disable();
    this.#last = past && this.#present(past);
    this.#histogram = this.#next;
    this.#next = undefined;
    this.#timer = setTimeout(() => this.#beginNext(), this.#windowMs).unref();
  }

  #present(histogram: IntervalHistogram): DelayFigures | undefined {
    if (histogram.count === 0) return undefined;
    const nowUs = performance.now() * 1000;
    this.#max.note(delayOf(histogram.max), nowUs);
    return {
      max: this.#max.at(nowUs),
      min: delayOf(histogram.min),
      mean: delayOf(histogram.mean),
      stddev: histogram.stddev / nsPerSecond,
      p50: delayOf(histogram.percentile(50)),
      p90: delayOf(histogram.percentile(90)),
      p99: delayOf(histogram.percentile(99)),
    };
  }
}

function observe(): IntervalHistogram {
  const histogram = performanceHooks.monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  return histogram;
}

/** What is recorded is the time from one look to the next. */
function delayOf(intervalNs: number): number {
  return Math.max(0, intervalNs / nsPerSecond - resolutionMs / 1000);
}
