import { describe, expect, it } from 'vitest';
import { percentile, SimulatedPlayback, type SimulationOptions } from './simulated-playback.ts';

function play(options: SimulationOptions) {
  const result = new SimulatedPlayback(options).run();
  const errorsFrom = (fromMs: number, toMs = Number.POSITIVE_INFINITY) => {
    const errors = result.heard
      .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      .map(({ errorMs }) => errorMs);
    expect(errors.length).toBeGreaterThan(100);
    return errors;
  };
  return { ...result, errorsFrom };
}

describe('what a browser plays', () => {
  it.each([
    { name: 'steady clocks' },
    { name: 'a fast server', serverPpm: 200 },
    { name: 'a slow server', serverPpm: -200 },
    { name: 'a fast device', devicePpm: 200 },
    { name: 'a slow device and a fast server', devicePpm: -200, serverPpm: 200 },
    { name: 'an unsteady network', jitterMs: 3 },
    { name: 'ways that differ', asymmetryMs: 0.6, jitterMs: 1 },
    { name: 'all of it', jitterMs: 3, asymmetryMs: 0.4, serverPpm: 150, devicePpm: -150 },
    { name: 'a busy main thread', jitterMs: 1, block: { forMs: 300, everyMs: 500 } },
    { name: 'a short buffer', jitterMs: 1, bufferMs: 300 },
    { name: 'a context of another rate', contextRateHz: 44_100, devicePpm: 50 },
  ])('is in step with $name', ({ name: _, ...options }) => {
    for (const seed of [1, 2]) {
      const { errorsFrom, doubledFrames, silentFrames, scheduler } = play({
        seed,
        seconds: 30,
        ...options,
      });
      expect(percentile(errorsFrom(5000), 0.99)).toBeLessThan(1);
      expect(doubledFrames).toBe(0);
      expect(silentFrames).toBe(0);
      expect(scheduler.resyncs).toBe(0);
      expect(scheduler.underruns).toBe(0);
    }
  });

  it('is bit-exact for the most part while the clocks agree', () => {
    const { heard } = play({ seed: 4, seconds: 40, jitterMs: 1, devicePpm: 10 });
    const late = heard.filter(({ atMs }) => atMs > 5000);
    expect(late.filter(({ isCopied }) => isCopied).length / late.length).toBeGreaterThan(0.9);
  });

  it.each([40, -40])('follows a device that is later by %d ms within half a second', (laterMs) => {
    const { errorsFrom, doubledFrames, scheduler } = play({
      seed: 5,
      seconds: 25,
      jitterMs: 1,
      deviceChange: { atMs: 10_000, laterMs },
    });
    expect(percentile(errorsFrom(5000, 9900), 0.99)).toBeLessThan(1);
    expect(percentile(errorsFrom(10_500), 0.99)).toBeLessThan(1);
    expect(doubledFrames).toBe(0);
    expect(scheduler.resyncs).toBe(0);
  });

  it('goes on in step after nothing has come for three seconds', () => {
    const { errorsFrom, silentFrames, scheduler } = play({
      seed: 6,
      seconds: 20,
      outage: { fromMs: 8000, toMs: 11_000 },
    });
    expect(percentile(errorsFrom(11_200), 0.99)).toBeLessThan(1);
    // What was buffered is heard meanwhile.
    expect(silentFrames / 48).toBeGreaterThan(1500);
    expect(silentFrames / 48).toBeLessThan(2500);
    expect(scheduler.underruns).toBe(1);
    expect(scheduler.resyncs).toBe(0);
  });

  it('is silent as long as the source is, which is no fault', () => {
    const { errorsFrom, silentFrames, scheduler } = play({
      seed: 7,
      seconds: 20,
      pause: { fromMs: 8000, toMs: 10_000 },
    });
    expect(percentile(errorsFrom(5000), 0.99)).toBeLessThan(1);
    expect(silentFrames / 48).toBeGreaterThan(1950);
    expect(silentFrames / 48).toBeLessThan(2050);
    expect(scheduler.underruns).toBe(0);
  });

  it.each([12, -12])('keeps to timestamps that shift by %d ms', (laterMs) => {
    const { errorsFrom, doubledFrames, scheduler } = play({
      seed: 8,
      seconds: 20,
      newRun: { atMs: 8000, laterMs },
    });
    expect(percentile(errorsFrom(5000), 0.99)).toBeLessThan(1);
    expect(doubledFrames).toBe(0);
    expect(scheduler.resyncs).toBe(0);
  });

  it('is about in step where the browser does not say what is heard', () => {
    const { errorsFrom } = play({ seed: 9, seconds: 30, hasOutputPairs: false });
    expect(percentile(errorsFrom(8000), 0.99)).toBeLessThan(25);
  });
});
