import { describe, expect, it } from 'vitest';
import { Pacer } from '../../../src/audio/pacer.ts';
import { SampleFormat } from '../../../src/audio/sample-format.ts';

const format = SampleFormat.parse('44100:16:2');
const chunk = 882; // 20 ms
const toleranceUs = 250_000;

describe('Pacer', () => {
  it('lets a run begin one chunk before the moment at which its first chunk was complete', () => {
    const pacer = new Pacer(format, toleranceUs);
    expect(pacer.isRunning).toBe(false);
    expect(pacer.place(chunk, 1_000_000)).toEqual({
      timestampUs: 980_000,
      startsRun: true,
      stretch: 1,
    });
    expect(pacer.nextReadUs).toBe(1_000_000);
  });

  it('derives all further timestamps from the number of frames, without any drift', () => {
    const pacer = new Pacer(SampleFormat.parse('44100:16:2'), toleranceUs);
    pacer.place(1, 0);
    let last = 0;
    for (let index = 0; index < 1_000_000; index += 1) {
      last = pacer.place(1, 123).timestampUs;
    }
    expect(last).toBe((1_000_000 / 44_100) * 1_000_000 - 1_000_000 / 44_100);
  });

  it('keeps the run over a hiccup within the tolerance', () => {
    const pacer = new Pacer(format, toleranceUs);
    pacer.place(chunk, 1_000_000);
    pacer.readStarted(1_000_000);
    const lateUs = 1_020_000 + toleranceUs;
    expect(pacer.lateness(chunk, lateUs)).toBeUndefined();
    expect(pacer.place(chunk, lateUs)).toEqual({
      timestampUs: 1_000_000,
      startsRun: false,
      stretch: 1,
    });
  });

  it('tells a late source from a late server beyond the tolerance', () => {
    const pacer = new Pacer(format, toleranceUs);
    pacer.place(chunk, 1_000_000);
    const lateUs = 1_020_001 + toleranceUs;
    pacer.readStarted(1_000_500);
    expect(pacer.lateness(chunk, lateUs)).toEqual({ lateUs: 250_001, side: 'source' });
    pacer.readStarted(lateUs - 10);
    expect(pacer.lateness(chunk, lateUs)).toEqual({ lateUs: 250_001, side: 'server' });
  });

  it('counts a new run from now on after the old one has ended', () => {
    const pacer = new Pacer(format, toleranceUs);
    pacer.place(chunk, 1_000_000);
    pacer.end();
    expect(pacer.lateness(chunk, 9_000_000)).toBeUndefined();
    expect(pacer.place(chunk, 9_000_000)).toEqual({
      timestampUs: 8_980_000,
      startsRun: true,
      stretch: 1,
    });
  });
});
