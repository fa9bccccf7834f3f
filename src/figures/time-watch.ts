import { uptime } from 'node:os';
import type { Clock } from '../base/clock.ts';
import type { LogFields, Logger } from '../base/logger.ts';
import { LogLimiter } from '../base/time/log-limiter.ts';

/** How often the clocks are compared: an absence of twice this length never goes unnoticed. */
const tickMs = 250;
/** The same while there is no player that would hear an absence: each comparison is a wake-up. */
const idleTickMs = 2000;
const stallMs = 250;
/** A machine with too much to do makes a process wait, but hardly for so long. */
const suspensionMs = 1000;
/** Clocks that are set by less are no news; those of networks are set by milliseconds. */
const clockStepMs = 500;

/** What happened to the time of this process, since its start. */
export interface TimeFigures {
  /** Times that the event loop stood still. */
  readonly stalls: number;
  readonly stalledMs: number;
  /** Times that the process did not run at all: it was stopped, or the machine slept. */
  readonly suspensions: number;
  readonly suspendedMs: number;
  readonly clockSteps: number;
}

/** One of these, when it was noticed. */
export interface TimeNews {
  readonly kind: 'stall' | 'suspension' | 'clock-step';
  readonly ms: number;
}

interface TimeWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether an absence would bother no player. */
  readonly isIdle: () => boolean;
  readonly onNews?: (news: TimeNews) => void;
  /** Unix milliseconds. */
  readonly nowMs?: () => number;
  /** Seconds since the machine was started, those in which it slept included. */
  readonly uptimeSeconds?: () => number;
  /** Processor time of this process, milliseconds. */
  readonly cpuMs?: () => number;
}

/** What the clocks showed at one moment, milliseconds. */
interface Reading {
  readonly monotonicMs: number;
  readonly wallMs: number;
  readonly cpuMs: number;
}

/**
 * Notices when time goes on without this process, or jumps, and logs what happened.
 *
 * Nothing else follows from it: every part lives by the monotonic clock and finds its own way back.
 */
export class TimeWatch {
  readonly #options: TimeWatchOptions;
  readonly #logger: Logger;
  readonly #limiters = new Map<string, LogLimiter>();
  readonly #figures = { stalls: 0, stalledMs: 0, suspensions: 0, suspendedMs: 0, clockSteps: 0 };
  #timer: NodeJS.Timeout | undefined;
  #waitMs = tickMs;
  #last: Reading;
  /** How much of the time since its start the machine has slept. */
  #sleptMs: number;

  constructor(options: TimeWatchOptions) {
    this.#options = options;
    this.#logger = options.logger.tagged('Time');
    this.#last = this.#read();
    this.#sleptMs = this.#machineSleptMs();
  }

  /** From now on; a start is expected to keep the event loop busy, and is no news. */
  start(): void {
    this.#last = this.#read();
    this.#sleptMs = this.#machineSleptMs();
    this.#wait();
  }

  /** A player has come, which would hear an absence. */
  hurry(): void {
    if (!this.#timer || this.#waitMs === tickMs) return;
    clearTimeout(this.#timer);
    this.#compare();
  }

  get figures(): TimeFigures {
    return this.#figures;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#waitMs = this.#options.isIdle() ? idleTickMs : tickMs;
    this.#timer = setTimeout(() => this.#compare(), this.#waitMs).unref();
  }

  #compare(): void {
    const last = this.#last;
    const now = this.#read();
    this.#last = now;
    const passedMs = now.monotonicMs - last.monotonicMs;
    const absentMs = passedMs - this.#waitMs;
    const steppedMs = now.wallMs - last.wallMs - passedMs;
    // The monotonic clock stands still while the machine sleeps; the wall clock shows that, too.
    const sleptMs = Math.abs(steppedMs) >= clockStepMs ? this.#takeSleep() : 0;
    const setByMs = steppedMs - sleptMs;
    if (Math.abs(setByMs) >= clockStepMs) this.#tellStep(setByMs);
    if (sleptMs >= clockStepMs) this.#tellSuspension(sleptMs + Math.max(0, absentMs));
    else if (absentMs >= stallMs) this.#tellAbsence(absentMs, now.cpuMs - last.cpuMs);
    this.#wait();
  }

  /** A process that computes uses the processor, one that is stopped does not. */
  #tellAbsence(ms: number, cpuMs: number): void {
    if (ms >= suspensionMs && cpuMs < ms / 2) {
      this.#tellSuspension(ms);
      return;
    }
    this.#figures.stalls += 1;
    this.#figures.stalledMs += ms;
    this.#options.onNews?.({ kind: 'stall', ms });
    this.#tell('the event loop stood still', { ms: Math.round(ms), cpuMs: Math.round(cpuMs) });
  }

  #tellSuspension(ms: number): void {
    this.#figures.suspensions += 1;
    this.#figures.suspendedMs += ms;
    this.#options.onNews?.({ kind: 'suspension', ms });
    this.#tell('the process or machine was suspended', { ms: Math.round(ms) });
  }

  #tellStep(byMs: number): void {
    this.#figures.clockSteps += 1;
    this.#options.onNews?.({ kind: 'clock-step', ms: byMs });
    this.#tell('the wall clock was set', { byMs: Math.round(byMs) });
  }

  #tell(phrase: string, fields: LogFields): void {
    const limiter = this.#limiters.get(phrase) ?? new LogLimiter();
    this.#limiters.set(phrase, limiter);
    if (!limiter.allows(this.#last.monotonicMs)) return;
    const { unlogged } = limiter;
    this.#logger.warn(phrase, { ...fields, ...(unlogged > 0 && { unlogged }) });
  }

  #read(): Reading {
    const { clock, nowMs = () => Date.now(), cpuMs = processCpuMs } = this.#options;
    return { monotonicMs: clock.nowUs() / 1000, wallMs: nowMs(), cpuMs: cpuMs() };
  }

  /** What the machine has slept since the last call. */
  #takeSleep(): number {
    const before = this.#sleptMs;
    this.#sleptMs = this.#machineSleptMs();
    return Math.max(0, this.#sleptMs - before);
  }

  #machineSleptMs(): number {
    const { clock, uptimeSeconds = uptime } = this.#options;
    return uptimeSeconds() * 1000 - clock.nowUs() / 1000;
  }
}

function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
