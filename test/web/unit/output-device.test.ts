import { beforeEach, describe, expect, it } from 'vitest';
import { remember, remembered } from '../../../src/web/own-memory.ts';
import { OutputDevice } from '../../../src/web/player/output-device.ts';

beforeEach(() => remember('outputDevices', '[]'));

/** Reads the latency every 20 ms. Returns when the device was another one. */
function read(device: OutputDevice, fromMs: number, latencies: readonly number[]): number[] {
  const at: number[] = [];
  latencies.forEach((latencyMs, index) => {
    const nowMs = fromMs + index * 20;
    if (device.take(latencyMs, nowMs)) at.push(nowMs);
  });
  return at;
}

const steady = (latencyMs: number, count = 50) => Array.from({ length: count }, () => latencyMs);

describe('the device that is heard', () => {
  it('is found when its latency has been steady for half a second', () => {
    const device = new OutputDevice();
    expect(read(device, 0, [0, 0, 0, ...steady(45)])).toEqual([560]);
    expect(device.latencyMs).toBeCloseTo(45, 5);
  });

  it('is the same while its latency wavers, whose mean is followed', () => {
    const device = new OutputDevice();
    read(device, 0, steady(45));
    const wavering = Array.from({ length: 200 }, (_, index) => (index % 2 ? 40 : 54));
    expect(read(device, 1000, wavering)).toEqual([]);
    expect(device.latencyMs).toBeGreaterThan(45);
    expect(device.latencyMs).toBeLessThan(49);
  });

  it('is not another one for a moment', () => {
    const device = new OutputDevice();
    read(device, 0, steady(45));
    expect(read(device, 1000, [...steady(200, 20), ...steady(45)])).toEqual([]);
  });

  it('is another one when its latency is, and has its own offset whenever it comes back', () => {
    const device = new OutputDevice();
    read(device, 0, steady(45));
    device.setOffset(12);
    expect(read(device, 1000, steady(210))).toEqual([1500]);
    expect(device.offsetMs).toBe(0);
    device.setOffset(-80);
    expect(read(device, 3000, steady(48))).toEqual([3500]);
    expect(device.offsetMs).toBe(12);
    const later = new OutputDevice();
    expect(later.offsetMs).toBe(12);
    read(later, 0, steady(205));
    expect(later.offsetMs).toBe(-80);
  });

  it('keeps its offset when its buffer has become larger, which is told all the same', () => {
    const device = new OutputDevice();
    read(device, 0, steady(32));
    device.setOffset(7);
    expect(read(device, 1000, steady(64))).toEqual([1500]);
    expect(device.offsetMs).toBe(7);
  });

  it('is known by its name where the browser tells that', () => {
    const device = new OutputDevice();
    read(device, 0, steady(45));
    expect(device.takeName('Speakers')).toBe(true);
    device.setOffset(5);
    expect(device.takeName('Headphones')).toBe(true);
    expect(device.offsetMs).toBe(0);
    expect(device.takeName('Headphones')).toBe(false);
    expect(device.takeName('Speakers')).toBe(true);
    expect([device.name, device.offsetMs]).toEqual(['Speakers', 5]);
  });

  it('is begun with none when what is remembered was damaged', () => {
    remember('outputDevices', '[{"');
    expect(new OutputDevice().offsetMs).toBe(0);
  });

  it('is one of a few that are remembered', () => {
    const device = new OutputDevice();
    for (let index = 0; index < 20; index += 1) device.takeName(`Device ${index}`);
    device.takeName('Device 3');
    expect(device.offsetMs).toBe(0);
    expect(JSON.parse(remembered('outputDevices') ?? '')).toHaveLength(8);
  });
});
