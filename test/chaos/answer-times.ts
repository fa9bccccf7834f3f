import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient } from '../support/control-client.ts';
import type { Starvation } from './starvation.ts';

const looks = 7;
/** What a busy machine adds, whatever the server does. */
const spareMs = 150;
const mostTimesAsLong = 10;
/** What takes too much goes on; that forty players connect at once is over by then. */
const attempts = 3;
const againMs = 1000;

/**
 * Tells whether controllers are answered nearly as soon as before: by the middle of several
 * answers, as a single one says nothing on a busy machine.
 */
export class AnswerTimes {
  readonly #controller: ControlClient;
  readonly #starvation: Starvation;
  #beforeMs = 0;

  static async before({
    controller,
    starvation,
  }: {
    readonly controller: ControlClient;
    readonly starvation: Starvation;
  }): Promise<AnswerTimes> {
    const times = new AnswerTimes(controller, starvation);
    times.#beforeMs = await times.#middleMs();
    return times;
  }

  private constructor(controller: ControlClient, starvation: Starvation) {
    this.#controller = controller;
    this.#starvation = starvation;
  }

  /** What is wrong; `undefined` for nothing, also where the server does not get its processor. */
  async fault(): Promise<string | undefined> {
    const most = this.#beforeMs * mostTimesAsLong + spareMs;
    for (let attempt = 1; ; attempt += 1) {
      const nowMs = await this.#middleMs();
      if (nowMs <= most || this.#starvation.isStarved) return undefined;
      if (attempt === attempts) {
        return `answers take ${Math.round(nowMs)} ms instead of ${Math.round(this.#beforeMs)} ms`;
      }
      await sleep(againMs);
    }
  }

  async #middleMs(): Promise<number> {
    const times: number[] = [];
    for (let look = 0; look < looks; look += 1) {
      times.push((await this.#controller.ask('Server.GetRPCVersion')).roundTripMs);
    }
    return times.sort((a, b) => a - b)[Math.floor(looks / 2)] ?? 0;
  }
}
