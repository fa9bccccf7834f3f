import performanceHooks, { type IntervalHistogram } from 'node:perf_hooks';
import { Recent } from './recent.ts';
import type { ServerFacts } from './sync-message.ts';

const resolutionMs = 20;

interface ServerLook {
  readonly delayMs: number;
  readonly cpuUs: number;
}

/** How busy the event loop of this process is, look by look; each 20 ms a wake-up. */
export class ServerWatch {
  readonly looks = new Recent<ServerLook>();
  readonly #delay: IntervalHistogram;

  constructor() {
    this.#delay = performanceHooks.monitorEventLoopDelay({ resolution: resolutionMs });
    this.#delay.enable();
  }

  look(nowUs: number): void {
    const { user, system } = process.cpuUsage();
    const delayMs = this.#delay.count > 0 ? this.#delay.max / 1e6 - resolutionMs : 0;
    this.#delay.reset();
    this.looks.add(nowUs, { delayMs: Math.max(0, delayMs), cpuUs: user + system });
  }

  /** What has happened twice in ten seconds. */
  get loopDelayMs(): number {
    return this.looks.largest(({ delayMs }) => delayMs, 1);
  }

  facts(hasTcpFacts: boolean): ServerFacts {
    const { seconds } = this.looks;
    const cpuUs = this.looks.growth((look) => look.cpuUs) ?? 0;
    return {
      loopDelayMs: Math.round(this.looks.largest(({ delayMs }) => delayMs)),
      cpuShare: seconds > 0 ? Number((cpuUs / 1e6 / seconds).toFixed(2)) : 0,
      hasTcpFacts,
    };
  }

  stop(): void {
    this.#delay.disable();
  }
}
