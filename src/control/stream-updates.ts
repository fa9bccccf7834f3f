import type { StreamState } from '../audio/stream.ts';
import type { Requester } from '../streams/change.ts';
import { SoleRequester } from './pending-update.ts';
import { Throttle } from './throttle.ts';

/** A controller that is told what streams do. */
export interface StreamObserver extends Requester {
  /** When it last got a complete status, `performance.now()`. */
  readonly statusHeardMs: number;
}

interface StreamUpdatesOptions {
  /** What the stream does now. */
  readonly state: () => StreamState;
  readonly intervalMs: number;
  /** Tells them about it. */
  readonly tell: (isFor: (observer: StreamObserver) => boolean) => void;
}

/** Tells what one stream does, but not each toggling of a source that comes in bursts. */
export class StreamUpdates {
  readonly #options: StreamUpdatesOptions;
  readonly #throttle: Throttle;
  #told: StreamState | undefined;
  #requester: SoleRequester | undefined;
  #changedMs = 0;

  constructor(options: StreamUpdatesOptions) {
    this.#options = options;
    const { intervalMs } = options;
    this.#throttle = new Throttle({ intervalMs, isDeferred: false, act: () => this.#act() });
  }

  changed(by: Requester | undefined): void {
    if (!this.#requester) {
      this.#requester = new SoleRequester();
      this.#changedMs = performance.now();
    }
    this.#requester.add(by);
    this.#throttle.ask();
  }

  stop(): void {
    this.#throttle.stop();
  }

  #act(): void {
    const state = this.#options.state();
    const isKnown = state === this.#told;
    const changedMs = this.#changedMs;
    const requester = this.#requester;
    this.#told = state;
    this.#requester = undefined;
    // Back at the state that was told last: news only to controllers that saw what was between.
    this.#options.tell(
      (observer) => !requester?.is(observer) && (!isKnown || observer.statusHeardMs >= changedMs),
    );
  }
}
