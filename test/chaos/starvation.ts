import { readFileSync } from 'node:fs';

const sampleMs = 250;
const rememberedMs = 15_000;
/** So long within those 15 s: then whoever insists on answers within two seconds may give up. */
const starvedMs = 1000;

/** What was since the last sample. */
interface Times {
  readonly lagMs: number;
  readonly ranMs: number;
  readonly waitedMs: number;
}

/**
 * Tells a server that does nothing from one that is not let do anything: how long each of it and
 * of us waited for a processor.
 *
 * Source: kernel sched-stats.rst, "/proc/<pid>/schedstat".
 */
export class Starvation {
  /** The longest time that this process was away since `takeLagMs` was asked last. */
  #lagMs = 0;
  readonly #samples: (Times & { readonly atMs: number })[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #pid: number;

  constructor(pid: number) {
    this.#pid = pid;
    let last = this.#read();
    this.#timer = setInterval(() => {
      const now = this.#read();
      const lagMs = Math.max(0, now.atMs - last.atMs - sampleMs);
      this.#lagMs = Math.max(this.#lagMs, lagMs);
      const { ranMs, waitedMs } = last;
      this.#samples.push({
        atMs: now.atMs,
        lagMs,
        ranMs: now.ranMs - ranMs,
        waitedMs: now.waitedMs - waitedMs,
      });
      while ((this.#samples[0]?.atMs ?? now.atMs) < now.atMs - rememberedMs) this.#samples.shift();
      last = now;
    }, sampleMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  takeLagMs(): number {
    const lagMs = this.#lagMs;
    this.#lagMs = 0;
    return lagMs;
  }

  get isStarved(): boolean {
    const { waitedMs, lagMs } = this.#sums();
    return waitedMs > starvedMs || lagMs > starvedMs;
  }

  /** For a report. */
  describe(): string {
    const { ranMs, waitedMs, lagMs } = this.#sums();
    return (
      `in the last ${rememberedMs / 1000} s the server ran for ${Math.round(ranMs)} ms and waited ` +
      `${Math.round(waitedMs)} ms for a processor; the driver was late by ${Math.round(lagMs)} ms`
    );
  }

  #sums(): Times {
    const sum = (key: keyof Times) =>
      this.#samples.reduce((total, sample) => total + sample[key], 0);
    return { ranMs: sum('ranMs'), waitedMs: sum('waitedMs'), lagMs: sum('lagMs') };
  }

  #read() {
    const atMs = performance.now();
    try {
      const [ranNs, waitedNs] = readFileSync(`/proc/${this.#pid}/schedstat`, 'latin1').split(' ');
      return { atMs, ranMs: Number(ranNs) / 1e6, waitedMs: Number(waitedNs) / 1e6 };
    } catch {
      return { atMs, ranMs: 0, waitedMs: 0 };
    }
  }
}
