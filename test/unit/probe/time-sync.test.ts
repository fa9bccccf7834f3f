import { describe, expect, it } from 'vitest';
import { TimeSync } from '../../../src/probe/time-sync.ts';

/** One exchange over a path with known delays, between clocks with a known difference. */
function exchange(path: { offsetUs: number; thereUs: number; backUs: number; startUs?: number }) {
  const { offsetUs, thereUs, backUs, startUs = 1_000_000 } = path;
  const receivedUs = startUs + thereUs + offsetUs;
  const sentUs = receivedUs + 50;
  return { latencyUs: receivedUs - startUs, sentUs, arrivedUs: sentUs - offsetUs + backUs };
}

describe('the clock of the probe', () => {
  it('knows nothing before the first exchange', () => {
    const sync = new TimeSync();
    expect(sync.isSynced).toBe(false);
    expect(sync.offsetUs).toBe(0);
  });

  it.each([0, 5, -7_000_000, 3_600_000_000])('finds an offset of %i µs', (offsetUs) => {
    const sync = new TimeSync();
    sync.add(exchange({ offsetUs, thereUs: 300, backUs: 300 }));
    expect(sync.isSynced).toBe(true);
    expect(sync.offsetUs).toBe(offsetUs);
    expect(sync.roundTripUs).toBe(600);
  });

  it('errs by half the difference of the ways', () => {
    const sync = new TimeSync();
    sync.add(exchange({ offsetUs: 1000, thereUs: 900, backUs: 100 }));
    expect(sync.offsetUs).toBe(1400);
  });

  it('is not misled by single slow answers', () => {
    const sync = new TimeSync();
    for (let index = 0; index < 21; index += 1) {
      const backUs = index % 5 === 0 ? 90_000 : 200;
      sync.add(exchange({ offsetUs: 777, thereUs: 200, backUs }));
    }
    expect(sync.offsetUs).toBe(777);
  });

  it('reports the last round trip', () => {
    const sync = new TimeSync();
    for (const backUs of [500, 100, 800]) {
      sync.add(exchange({ offsetUs: 0, thereUs: 100, backUs }));
    }
    expect(sync.roundTripUs).toBe(900);
  });

  it('follows a clock that drifts, by forgetting what is old', () => {
    const sync = new TimeSync();
    for (let index = 0; index < 150; index += 1) {
      sync.add(exchange({ offsetUs: 0, thereUs: 10, backUs: 10 }));
    }
    for (let index = 0; index < 150; index += 1) {
      sync.add(exchange({ offsetUs: 5000, thereUs: 10, backUs: 10 }));
    }
    expect(sync.offsetUs).toBe(5000);
  });
});
