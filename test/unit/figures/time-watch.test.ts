import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TimeWatch } from '../../../src/figures/time-watch.ts';
import { LogLines } from '../../support/log-lines.ts';

const tickMs = 250;
const hourMs = 3_600_000;

/** The clocks of a machine, which a test moves one by one. */
const clocks = { monotonicMs: 0, wallMs: 0, sleptMs: 0, cpuMs: 0 };
let log: LogLines;
let watch: TimeWatch;
let isIdle: boolean;
let looks = 0;

function newWatch(): TimeWatch {
  return new TimeWatch({
    clock: { nowUs: () => clocks.monotonicMs * 1000 },
    logger: log,
    isIdle: () => isIdle,
    nowMs: () => clocks.wallMs,
    uptimeSeconds: () => (clocks.monotonicMs + clocks.sleptMs) / 1000,
    cpuMs: () => {
      looks += 1;
      return clocks.cpuMs;
    },
  });
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  isIdle = false;
  Object.assign(clocks, { monotonicMs: 1e6, wallMs: 1e12, sleptMs: 0, cpuMs: 0 });
  log = new LogLines();
  watch = newWatch();
  watch.start();
});

afterEach(() => {
  watch.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Lets a tick pass that took `extra` more than planned, on the clocks that are named. */
function tick(extra: Partial<typeof clocks> = {}): void {
  clocks.monotonicMs += tickMs + (extra.monotonicMs ?? 0);
  clocks.wallMs += tickMs + (extra.wallMs ?? 0);
  clocks.sleptMs += extra.sleptMs ?? 0;
  clocks.cpuMs += extra.cpuMs ?? 10;
  vi.advanceTimersByTime(tickMs);
}

const lines = () => log.lines.map(({ phrase, fields }) => [phrase, fields]);

describe('a time watch', () => {
  it('takes no notice of what was before it was started', () => {
    watch.close();
    watch = newWatch();
    tick({ monotonicMs: 5000, wallMs: 5000, cpuMs: 60 });
    tick({ wallMs: hourMs });
    watch.start();
    tick();
    expect(lines()).toEqual([]);
    expect(watch.figures).toMatchObject({ stalls: 0, suspensions: 0, clockSteps: 0 });
  });

  it('says nothing while time passes as it should, and clocks are slewed', () => {
    for (let ticks = 0; ticks < 1000; ticks += 1) tick({ monotonicMs: 20, wallMs: 120 });
    expect(lines()).toEqual([]);
  });

  it('looks seldom while there is no player, and tells a long absence all the same', () => {
    isIdle = true;
    tick();
    looks = 0;
    for (let ticks = 0; ticks < 80; ticks += 1) tick();
    expect(looks).toBe(10);
    expect(lines()).toEqual([]);
    for (let ticks = 0; ticks < 7; ticks += 1) tick();
    tick({ monotonicMs: 5000, wallMs: 5000, cpuMs: 60 });
    expect(lines()).toEqual([['the process or machine was suspended', { ms: 5000 }]]);
  });

  it('looks often as soon as a player has come', () => {
    isIdle = true;
    tick();
    tick();
    isIdle = false;
    watch.hurry();
    tick();
    tick({ monotonicMs: 300, wallMs: 300, cpuMs: 290 });
    expect(lines()).toEqual([['the event loop stood still', { ms: 300, cpuMs: 290 }]]);
  });

  it('tells a busy event loop by the processor time', () => {
    tick({ monotonicMs: 500, wallMs: 500, cpuMs: 490 });
    expect(lines()).toEqual([['the event loop stood still', { ms: 500, cpuMs: 490 }]]);
    expect(log.lines[0]).toMatchObject({ level: 'warn', tag: 'Time' });
    expect(watch.figures).toMatchObject({ stalls: 1, stalledMs: 500, suspensions: 0 });
  });

  it('tells a process that was stopped, which used none', () => {
    tick({ monotonicMs: 5000, wallMs: 5000, cpuMs: 60 });
    expect(lines()).toEqual([['the process or machine was suspended', { ms: 5000 }]]);
    expect(watch.figures).toMatchObject({ suspensions: 1, suspendedMs: 5000, clockSteps: 0 });
  });

  it('does not take a machine with too much to do for one that was stopped', () => {
    tick({ monotonicMs: 600, wallMs: 600, cpuMs: 10 });
    expect(lines()).toEqual([['the event loop stood still', { ms: 600, cpuMs: 10 }]]);
  });

  it('tells a machine that slept, during which the monotonic clock stands still', () => {
    tick({ wallMs: hourMs, sleptMs: hourMs });
    tick();
    expect(lines()).toEqual([['the process or machine was suspended', { ms: hourMs }]]);
    expect(watch.figures).toMatchObject({ suspensions: 1, clockSteps: 0 });
  });

  it.each([hourMs, -hourMs, 500, -500])('tells a wall clock that was set by %d ms', (byMs) => {
    tick({ wallMs: byMs });
    tick();
    expect(lines()).toEqual([['the wall clock was set', { byMs }]]);
    expect(watch.figures).toMatchObject({ clockSteps: 1, suspensions: 0, stalls: 0 });
  });

  it('tells apart what happened together', () => {
    tick({ wallMs: 2 * hourMs, sleptMs: hourMs });
    expect(lines()).toEqual([
      ['the wall clock was set', { byMs: hourMs }],
      ['the process or machine was suspended', { ms: hourMs }],
    ]);
  });

  it('does not flood the log of a machine that is always late, and counts what it leaves out', () => {
    for (let ticks = 0; ticks < 40; ticks += 1) tick({ monotonicMs: 250, wallMs: 250, cpuMs: 500 });
    expect(lines()).toEqual([
      ['the event loop stood still', { ms: 250, cpuMs: 500 }],
      ['the event loop stood still', { ms: 250, cpuMs: 500, unlogged: 19 }],
    ]);
    expect(watch.figures.stalls).toBe(40);
  });
});
