import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SampleFormat } from '../../../src/audio/sample-format.ts';
import { TapError } from '../../../src/taps/tap-error.ts';
import { parseTapRequest } from '../../../src/taps/tap-request.ts';

const format = SampleFormat.parse('48000:16:2');

describe('what a tap is asked for', () => {
  it.each([
    ['as=pcm', { as: 'pcm' }],
    ['as=pcm&rate=48000&channels=2', { as: 'pcm' }],
    ['channels=1&as=pcm&rate=16000', { as: 'pcm', rateHz: 16_000, channels: 1 }],
    ['as=mel', { as: 'mel', preset: 'speech' }],
    ['as=mel&preset=display', { as: 'mel', preset: 'display' }],
    ['as=mel&bands=128', { as: 'mel', preset: 'speech', bands: 128 }],
  ])('%s is understood', (query, request) => {
    expect(parseTapRequest(query, format)).toEqual(request);
  });

  it.each(['as=mel', 'as=pcm&rate=16000'])('%s needs a rate that can be converted', (query) => {
    for (const text of ['384000:32:2', '7999:16:2']) {
      const other = SampleFormat.parse(text);
      expect(() => parseTapRequest(query, other)).toThrow('ask for as=pcm without a rate');
      expect(parseTapRequest('as=pcm', other)).toEqual({ as: 'pcm' });
    }
    for (const text of ['192000:32:2', '8000:16:2']) {
      expect(parseTapRequest(query, SampleFormat.parse(text))).toBeDefined();
    }
  });

  it('is refused by an error for users, whatever it is', () => {
    const name = fc.constantFrom('as', 'rate', 'channels', 'preset', 'bands', '__proto__', '');
    const value = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom(
        'pcm',
        'mel',
        'speech',
        'display',
        '80',
        '128',
        '16000',
        '1',
        '-1',
        '%',
        'NaN',
      ),
    );
    const query = fc.oneof(
      fc.string(),
      fc.array(fc.tuple(name, value)).map((pairs) => pairs.map((pair) => pair.join('=')).join('&')),
    );
    fc.assert(
      fc.property(query, (text) => {
        try {
          expect(['pcm', 'mel']).toContain(parseTapRequest(text, format).as);
        } catch (error) {
          expect(error).toBeInstanceOf(TapError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
