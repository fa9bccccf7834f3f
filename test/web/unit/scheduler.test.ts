import { describe, expect, it } from 'vitest';
import { type Block, Scheduler } from '../../../src/web/player/scheduler.ts';

const rateHz = 48_000;
const bufferMs = 1000;
const burstFrames = 960;

/** A player of constant sound, in which every click shows, on clocks that are right. */
function rig() {
  const blocks = new Set<Block>();
  let laterMs = 0;
  let nowFrame = 0;
  let sentMs = 0;
  const scheduler = new Scheduler({
    rateHz,
    wantMs: (frame) => (frame * 1000) / rateHz - bufferMs + laterMs,
    play: (block) => blocks.add(block),
    cancel: (block) => blocks.delete(block),
  });
  scheduler.begin({ rateHz, channels: 1 }, 0);
  return {
    scheduler,
    now: () => nowFrame,
    shift: (ms: number) => {
      laterMs += ms;
    },
    /** Lets time pass, in which all that is captured arrives, or nothing. */
    run: (ms: number, isSent = true) => {
      const end = nowFrame + (ms * rateHz) / 1000;
      for (; nowFrame < end; nowFrame += burstFrames) {
        for (; sentMs + 20 <= (nowFrame * 1000) / rateHz + laterMs; sentMs += 20) {
          const channels = [new Float32Array(960).fill(0.5)];
          if (isSent) scheduler.take({ timestampMs: sentMs, channels }, nowFrame);
        }
        scheduler.fill(nowFrame, bufferMs);
      }
    },
    /** All that was planned, added up as the device does. */
    rendered: () => {
      const length = Math.max(
        ...[...blocks].map(({ frame, channels }) => frame + channels[0]!.length),
      );
      const sum = new Float32Array(length);
      for (const { frame, channels } of blocks) {
        channels[0]!.forEach((sample, index) => {
          sum[frame + index]! += sample;
        });
      }
      return sum;
    },
  };
}

function steepest(samples: Float32Array): number {
  let most = 0;
  // The end is where the plan ends.
  for (let at = 1; at < samples.length; at += 1) {
    most = Math.max(most, Math.abs(samples[at]! - samples[at - 1]!));
  }
  return most;
}

describe('what is planned', () => {
  const gentle = 0.5 / (0.005 * rateHz) + 1e-6;

  it('begins and goes on without a click, as loud as it came', () => {
    const { run, rendered } = rig();
    run(5000);
    const sum = rendered();
    expect(steepest(sum)).toBeLessThan(gentle);
    expect(sum.at(-1)).toBe(0.5);
  });

  it.each([20, -20, 300])('jumps without a click when all is %d ms later', (ms) => {
    const { run, shift, scheduler, now, rendered } = rig();
    run(6000);
    shift(ms);
    scheduler.replan(now());
    run(2000);
    expect(steepest(rendered())).toBeLessThan(gentle);
    expect(scheduler.resyncs).toBe(0);
    expect(scheduler.errorMs(now())).toBeCloseTo(0, 1);
  });

  it('jumps by itself, and says so, when nobody says that all is different', () => {
    const { run, shift, scheduler, now, rendered } = rig();
    run(6000);
    shift(50);
    run(2000);
    expect(steepest(rendered())).toBeLessThan(gentle);
    expect(scheduler.resyncs).toBe(1);
    expect(scheduler.errorMs(now())).toBeCloseTo(0, 1);
  });

  it('fades out before what is missing, and in behind it', () => {
    const { run, scheduler, rendered } = rig();
    run(5000);
    run(500, false);
    run(3000);
    const sum = rendered();
    expect(steepest(sum)).toBeLessThan(gentle);
    const silence = sum.slice(2 * rateHz).filter((sample) => sample === 0);
    expect(silence.length / 48).toBeGreaterThan(480);
    expect(silence.length / 48).toBeLessThan(600);
    expect(scheduler.resyncs).toBe(0);
  });

  it('gives way to another stream within a moment, without a click', () => {
    const { run, scheduler, now, rendered } = rig();
    run(5000);
    const at = now();
    scheduler.begin({ rateHz, channels: 1 }, at);
    scheduler.fill(at, bufferMs);
    const sum = rendered();
    expect(steepest(sum)).toBeLessThan(gentle);
    // Hundreds of milliseconds had been planned.
    expect((sum.length - at) / 48).toBeLessThan(200);
    expect(Math.abs(sum.at(-1)!)).toBeLessThan(0.01);
    run(3000);
    expect(steepest(rendered())).toBeLessThan(gentle);
  });

  it('is nothing while no clock is known', () => {
    const blocks: Block[] = [];
    const scheduler = new Scheduler({
      rateHz,
      wantMs: () => Number.NaN,
      play: (block) => blocks.push(block),
      cancel: () => undefined,
    });
    scheduler.begin({ rateHz, channels: 1 }, 0);
    scheduler.take({ timestampMs: 0, channels: [new Float32Array(48_000)] }, 0);
    scheduler.fill(0, bufferMs);
    expect(blocks).toEqual([]);
  });
});
