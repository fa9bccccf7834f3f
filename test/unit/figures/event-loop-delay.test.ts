import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventLoopDelay } from '../../../src/figures/event-loop-delay.ts';
import { stall } from '../../support/fake-time.ts';
import { until } from '../../support/waiting.ts';

let delay: EventLoopDelay;

beforeEach(() => {
  delay = new EventLoopDelay();
});

afterEach(() => delay.stop());

describe('the delay of the event loop', () => {
  it('has no figures before the loop was looked at', async () => {
    expect(delay.figures).toBeUndefined();
    await until(() => delay.figures !== undefined);
    for (const figure of Object.values(delay.figures ?? {})) {
      expect(figure).toBeGreaterThanOrEqual(0);
      expect(figure).toBeLessThan(60);
    }
  });

  it('does not count the time between two looks', async () => {
    void delay.figures;
    await until(() => delay.figures !== undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // Two looks are 10 ms apart; on a busy machine at least one of them is in time.
    expect(delay.figures?.min).toBeLessThan(0.005);
  });

  it('tells everybody who asks of the longest one', async () => {
    void delay.figures;
    await until(() => delay.figures !== undefined);
    stall(200);
    await until(() => (delay.figures?.max ?? 0) > 0.15);
    expect(delay.figures?.max).toBeGreaterThan(0.15);
    expect(delay.figures?.max).toBeGreaterThan(0.15);
  });

  it.each([0, 20, 40, 60, 80, 100])(
    'keeps the longest one, also one during which a window ended (%i ms after its beginning)',
    async (afterMs) => {
      delay = new EventLoopDelay({ windowMs: 100 });
      void delay.figures;
      await until(() => delay.figures !== undefined);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      stall(200);
      await until(() => (delay.figures?.max ?? 0) > 0.15);
      await until(() => (delay.figures?.mean ?? 1) < 0.05);
      expect(delay.figures?.max).toBeGreaterThan(0.15);
    },
  );

  it('is not looked at any more when nobody asks', async () => {
    delay = new EventLoopDelay({ windowMs: 20, maxUnaskedMs: 100 });
    void delay.figures;
    await until(() => delay.figures !== undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(delay.figures).toBeUndefined();
  });
});
