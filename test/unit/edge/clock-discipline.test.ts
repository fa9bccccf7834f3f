import { describe, expect, it } from 'vitest';
import { ClockDiscipline } from '../../../src/edge/clock-discipline.ts';
import { type SimulatedNetwork, simulateClocks } from '../../support/clock-simulator.ts';

/** Limits in microseconds: of the error half of the time, nearly always and ever; without answers for a minute and for four. */
const networks: readonly (readonly [
  string,
  SimulatedNetwork,
  {
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
    readonly holdover: readonly [number, number];
  },
])[] = [
  [
    'a LAN',
    { delayMs: 0.2, jitterMs: 0.05, spikes: 0.01, spikeMs: 5, ppm: 20 },
    { p50: 3, p99: 10, max: 12, holdover: [3, 11] },
  ],
  [
    'a LAN between busy machines',
    { delayMs: 0.3, jitterMs: 1, spikes: 0.05, spikeMs: 10, ppm: -35 },
    { p50: 35, p99: 250, max: 270, holdover: [60, 200] },
  ],
  [
    'Wi-Fi',
    { delayMs: 1.5, jitterMs: 3, spikes: 0.05, spikeMs: 60, ppm: 40 },
    { p50: 100, p99: 780, max: 850, holdover: [200, 400] },
  ],
  [
    'a WAN with bursts',
    { delayMs: 20, jitterMs: 2, spikes: 0.03, spikeMs: 30, burstMs: 35, ppm: 15 },
    { p50: 60, p99: 450, max: 460, holdover: [250, 600] },
  ],
  [
    'a bad WAN with bursts',
    { delayMs: 60, jitterMs: 8, spikes: 0.05, spikeMs: 100, burstMs: 35, ppm: 60 },
    { p50: 390, p99: 2550, max: 2600, holdover: [470, 1000] },
  ],
  [
    'a LAN with a bad crystal',
    { delayMs: 0.2, jitterMs: 0.05, spikes: 0.01, spikeMs: 5, ppm: 100, wanderPpm: 1 },
    { p50: 20, p99: 40, max: 45, holdover: [70, 80] },
  ],
];

describe.each(networks)('over %s', (_, network, limits) => {
  it.each([1, 2, 3])('follows the time of the origin (seed %i)', (seed) => {
    const found = simulateClocks(network, seed);
    expect(found.p50).toBeLessThan(limits.p50);
    expect(found.p99).toBeLessThan(limits.p99);
    expect(found.max).toBeLessThan(limits.max);
    expect(found.holdover60).toBeLessThan(limits.holdover[0]);
    expect(found.holdover239).toBeLessThan(limits.holdover[1]);
    expect(found.maxRatePpm).toBeLessThan(130);
    expect(found.outOfBound).toBe(0);
    expect(found.lockMs).toBeLessThan(2000);
  });
});

describe('a way that is longer in one direction', () => {
  it('costs half of the difference, which no exchange can show', () => {
    const network = { delayMs: 10, jitterMs: 2, asymmetryMs: 20, ppm: 20 };
    const { p50, max } = simulateClocks(network, 1);
    expect(p50).toBeGreaterThan(9900);
    expect(max).toBeLessThan(11_000);
  });

  it('is followed slowly, when it becomes so', () => {
    const network = { delayMs: 0.2, jitterMs: 0.05, routeChangeMs: 10, ppm: 20 };
    const { p99, max, maxRatePpm } = simulateClocks(network, 1);
    expect(p99).toBeGreaterThan(4000);
    expect(max).toBeLessThan(5600);
    expect(maxRatePpm).toBeLessThan(110);
  });
});

/** Exchanges without delay, once per second from the start on. */
class Answers {
  readonly discipline = new ClockDiscipline();
  nowUs = 1e9;

  /** Of an origin whose clock is ahead by that. */
  take(count: number, aheadUs: number): void {
    for (let index = 0; index < count; index += 1) {
      this.nowUs += 1e6;
      const originUs = this.nowUs + aheadUs;
      this.discipline.add({
        askedUs: this.nowUs - 100,
        receivedUs: originUs - 50,
        answeredUs: originUs - 50,
        arrivedUs: this.nowUs,
      });
    }
  }

  get offsetUs(): number {
    return this.discipline.offsetUs(this.nowUs);
  }
}

describe('an origin whose clock was set', () => {
  it('leaves the time that is given out as it was, and what comes is shifted', () => {
    const answers = new Answers();
    answers.take(60, 5e6);
    expect(answers.offsetUs).toBeCloseTo(5e6, 0);
    expect(answers.discipline.shiftUs).toBe(0);
    answers.take(30, 9e6);
    expect(answers.offsetUs).toBeCloseTo(5e6, 0);
    expect(answers.discipline.shiftUs).toBeCloseTo(-4e6, 0);
    expect(answers.discipline.breaks).toBe(1);
    answers.take(30, 9e6);
    expect(answers.offsetUs).toBeCloseTo(5e6, 0);
  });

  it('is told from one with another clock at once, when it says so', () => {
    const answers = new Answers();
    answers.take(60, 5e6);
    answers.discipline.restart();
    expect(answers.discipline.isLocked).toBe(false);
    expect(answers.offsetUs).toBeCloseTo(5e6, 0);
    answers.take(8, 100e6);
    expect(answers.discipline.isLocked).toBe(true);
    expect(answers.offsetUs).toBeCloseTo(5e6, 0);
    expect(answers.discipline.shiftUs).toBeCloseTo(-95e6, 0);
  });

  it('that comes back with the same clock costs no shift', () => {
    const answers = new Answers();
    answers.take(60, 5e6);
    answers.discipline.restart();
    answers.take(8, 5e6 + 300);
    expect(answers.discipline.shiftUs).toBe(0);
    expect(answers.offsetUs).toBeCloseTo(5e6, 0);
    answers.take(60, 5e6 + 300);
    expect(answers.offsetUs).toBeCloseTo(5e6 + 300, -1);
  });
});

it('an answer that came before its question is not believed', () => {
  const answers = new Answers();
  answers.take(60, 5e6);
  const before = answers.offsetUs;
  const { nowUs, discipline } = answers;
  discipline.add({ askedUs: nowUs, receivedUs: 0, answeredUs: 1e6, arrivedUs: nowUs + 100 });
  expect(discipline.offsetUs(nowUs)).toBeCloseTo(before, 3);
});
