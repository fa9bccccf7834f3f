import { describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';

describe('SampleFormat', () => {
  it.each([
    ['48000:16:2', 2, 4],
    ['96000:24:2', 4, 8],
    ['44100:32:8', 4, 32],
    ['8000:8:1', 1, 1],
  ])('reads %s with %i bytes per sample and %i per frame', (text, sample, frame) => {
    const format = SampleFormat.parse(text);
    expect([format.sampleBytes, format.frameBytes]).toEqual([sample, frame]);
    expect(format.toString()).toBe(text);
  });

  it('converts between time and frames', () => {
    const format = SampleFormat.parse('44100:16:2');
    expect(format.framesIn(20)).toBe(882);
    expect(format.framesIn(10.5)).toBe(463);
    expect(format.framesIn(0)).toBe(1);
    expect(format.durationUs(882)).toBe(20_000);
  });

  it.each([
    '',
    '48000',
    '48000:16',
    '48000:20:2',
    '0:16:2',
    '48000:16:0',
    '48000:16:9',
    '1e5:16:2',
    '48000:16:2:1',
    '-1:16:2',
    '999999:16:2',
  ])('refuses %j and says what is allowed', (text) => {
    expect(() => SampleFormat.parse(text)).toThrow(/write rate:bits:channels .*48000:16:2/);
  });

  it('compares by value', () => {
    const format = SampleFormat.parse('48000:16:2');
    expect(format.equals(SampleFormat.parse(' 48000:16:2 '))).toBe(true);
    expect(format.equals(SampleFormat.parse('48000:16:1'))).toBe(false);
  });
});
