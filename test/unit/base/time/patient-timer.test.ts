import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { PatientTimer } from '../../../../src/base/time/patient-timer.ts';
import { stall } from '../../../support/fake-time.ts';
import { until } from '../../../support/waiting.ts';

function timer(delayMs: number): { readonly timer: PatientTimer; readonly fired: number[] } {
  const fired: number[] = [];
  const made = new PatientTimer(delayMs, () => fired.push(performance.now()));
  onTestFinished(() => made.stop());
  return { timer: made, fired };
}

describe('a patient timer', () => {
  it('fires when nothing happened for its time', async () => {
    const { timer: patient, fired } = timer(20);
    const startMs = performance.now();
    patient.restart();
    await until(() => fired.length === 1);
    expect(fired[0]! - startMs).toBeGreaterThan(15);
  });

  it('fires at its time, not after the extension for a loop that was away', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const { timer: patient, fired } = timer(400);
    patient.restart();
    vi.advanceTimersByTime(399);
    patient.restart();
    vi.advanceTimersByTime(399);
    expect(fired).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(fired).toHaveLength(1);
    patient.restart();
    vi.advanceTimersByTime(400);
    expect(fired).toHaveLength(2);
  });

  it('begins anew when the event loop was away at its time, but only once', async () => {
    const { timer: patient, fired } = timer(300);
    patient.restart();
    const startMs = performance.now();
    stall(700);
    await until(() => performance.now() - startMs > 800);
    expect(fired).toEqual([]);
    stall(700);
    await until(() => fired.length === 1);
  });

  it('can be restarted by what arrived while the event loop was away', async () => {
    const { timer: patient, fired } = timer(100);
    patient.restart();
    setImmediate(() => patient.stop());
    stall(500);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(fired).toEqual([]);
  });

  it('does not fire when it is stopped', async () => {
    const { timer: patient, fired } = timer(10);
    patient.restart();
    patient.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fired).toEqual([]);
  });
});
